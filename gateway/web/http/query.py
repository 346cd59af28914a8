"""Checking a request's query, and awaiting verbs of the hub that report by a callback."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from gateway.errors import Code, Refusal

SEQ_LIMIT = 2**63

Answer = TypeVar("Answer")


async def ask(verb: Callable[[Callable[[Answer | Refusal], None]], None]) -> Answer:
    """Wait for what `verb` hands to its callback. A Refusal is raised."""
    future: asyncio.Future[Answer | Refusal] = asyncio.get_running_loop().create_future()

    def done(answer: Answer | Refusal) -> None:
        if not future.done():
            future.set_result(answer)

    verb(done)
    answer = await future
    if isinstance(answer, Refusal):
        raise answer
    return answer


def only(request: web.Request, *names: str) -> None:
    """Raise Refusal for a query with any other name: a misspelt parameter is reported, not ignored."""
    for name in request.query:
        if name not in names:
            takes = ", ".join(names) or "none"
            raise Refusal(Code.BAD_MESSAGE, f"unknown query parameter {name[:40]!r}; this address takes {takes}")
