"""Search queries: what the words of a search mean, and how often somebody may search.

A query is words, or their beginnings of three letters or more, all of which a message must have. `from:ana` (an
author), `room:ops`, `since:3d` and `before:14:00` are filters; from: and room: may be given several times, and any one
of them is enough. Everything else is text, also quotes, `*`, `-` and NEAR: there is no syntax to get wrong.

Searches run one after the other, on a thread of their own. So that a flood from one address leaves room for others,
only a few of an address wait at a time, and the time that its searches take is charged to it.
"""

from collections import Counter
from collections.abc import Callable

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.ports.index import SearchQuery
from gateway.core.quantity import moment
from gateway.errors import Code, Refusal

QUERY_BYTES = 300
QUERY_WORDS = 20
QUERY_ROOMS = 10
FOUND_MESSAGES = 100
"""Messages that one search returns, at most."""
WAITING = 20
WAITING_PER_ADDRESS = 2
SHARE = 0.5
"""The part of the time that the searches of one address may take in the long run; the least search counts as 50 ms."""
AHEAD_SECONDS = 5.0
"""How far ahead of that share an address may be."""
ADDRESSES = 10_000


def parse_query(text: str, room: str, now: int, limit: int) -> SearchQuery:
    """What the text asks for, in `room` unless it names others: at most `limit` messages, and never more than
    FOUND_MESSAGES. `now` is ms since 1970. Raises Refusal."""
    names: dict[str, list[str]] = {"from": [], "room": []}
    moments: dict[str, int] = {}
    words: list[str] = []
    for word in sanitize.line(text, QUERY_BYTES).split() if text.strip() else ():
        filter, colon, value = word.partition(":")
        filter = filter.lower()
        if colon and filter in names:
            names[filter].append(_named(filter, value))
        elif colon and filter in ("since", "before"):
            moments[filter] = _moment(filter, value, now)
        elif any(character.isalnum() for character in word):
            words.append(word)
    if not words and not names["from"]:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_WHAT_TO_FIND)
    if len(words) > QUERY_WORDS or len(names["room"]) > QUERY_ROOMS:
        raise Refusal(Code.TOO_LONG, wording.QUERY_TOO_LONG.format(words=QUERY_WORDS, rooms=QUERY_ROOMS))
    rooms = tuple(dict.fromkeys(names["room"])) or (room,)
    since, before = moments.get("since"), moments.get("before")
    return SearchQuery(rooms, tuple(words), tuple(names["from"]), since, before, limit=min(limit, FOUND_MESSAGES))


def _named(filter: str, value: str) -> str:
    value = value.removeprefix("@") if filter == "from" else value  # as other chats address people
    if not value:
        raise Refusal(Code.BAD_MESSAGE, wording.FILTER_EMPTY.format(filter=filter))
    return name_rules.room(value) if filter == "room" else value


def _moment(filter: str, value: str, now: int) -> int:
    found = moment(value, now)
    if found is None:
        raise Refusal(Code.BAD_MESSAGE, wording.NO_MOMENT.format(filter=filter, words=sanitize.shown(value)))
    return found


class Turns:
    """Decides who may search now. `start` and `finish` enclose each search; an address of None is not counted."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: Counter[str | None] = Counter()
        self._paid_until: dict[str, float] = {}

    def start(self, address: str | None) -> float:
        """When the search began; it must be finished. Raises Refusal for one that comes too soon."""
        now = self._now()
        if self._waiting.total() >= WAITING:
            raise Refusal(Code.BUSY, wording.TOO_MANY_WAIT, retry_ms=1000)
        if address is not None:
            if self._waiting[address] >= WAITING_PER_ADDRESS:
                raise Refusal(Code.RATE_LIMITED, wording.SEARCH_RUNS, retry_ms=1000)
            ahead = self._paid_until.get(address, 0.0) - now - AHEAD_SECONDS
            if ahead > 0:
                raise Refusal(
                    Code.RATE_LIMITED,
                    wording.SEARCHES_TOO_FAST.format(seconds=ahead + 0.1),
                    retry_ms=int(ahead * 1000) + 1,
                )
        self._waiting[address] += 1
        return now

    def finish(self, address: str | None, began: float) -> None:
        """The search is over: charge it."""
        self._waiting[address] -= 1
        if address is not None:
            now = self._now()
            if len(self._paid_until) >= ADDRESSES:
                self._paid_until = {key: until for key, until in self._paid_until.items() if until > now}
            self._paid_until[address] = max(now, self._paid_until.get(address, now)) + max(0.05, now - began) / SHARE
        self._waiting += Counter()  # drops those that have come to nothing
