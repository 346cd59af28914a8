"""Checking a request's query, and awaiting answers of the core."""

import asyncio
from typing import TypeVar

from aiohttp import web

from gateway.core.answer import Answer
from gateway.errors import Code, Refusal

SEQ_LIMIT = 2**63

Value = TypeVar("Value")


async def answered(answer: Answer[Value | Refusal]) -> Value:
    """Wait for an answer of the core. A Refusal is raised."""
    future: asyncio.Future[Value | Refusal] = asyncio.get_running_loop().create_future()

    def arrived(value: Value | Refusal) -> None:
        if not future.done():  # the request may have been cancelled meanwhile
            future.set_result(value)

    answer.then(arrived)
    value = await future
    if isinstance(value, Refusal):
        raise value
    return value


def only(request: web.Request, *names: str) -> None:
    """Raise Refusal for a query with any other name: a misspelt parameter is reported, not ignored."""
    for name in request.query:
        if name not in names:
            takes = ", ".join(names) or "none"
            raise Refusal(Code.BAD_MESSAGE, f"unknown query parameter {name[:40]!r}; this address takes {takes}")
