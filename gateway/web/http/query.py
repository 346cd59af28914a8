"""What a request's query says, and waiting for what the hub answers by a callback."""

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
    """Refuse a query that says anything else: who misspells a word is told, not ignored."""
    for name in request.query:
        if name not in names:
            known = ", ".join(names) or "it takes none"
            raise Refusal(Code.BAD_MESSAGE, f"cannot ask by {name[:40]!r}: {known}")


def number(request: web.Request, name: str, least: int = 0) -> int | None:
    """The query's number `name`, None where it is absent."""
    given = request.query.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 20 and least <= int(given) < SEQ_LIMIT):
        raise Refusal(Code.BAD_MESSAGE, f"{name} is not a whole number of at least {least}")
    return int(given)
