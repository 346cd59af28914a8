"""`GET /r/{room}/log.txt`: a whole room as text, for `grep` and for keeping.

    2026-11-24T14:01:05Z bob: text
    2026-11-24T14:01:07Z bob| its second line
    2026-11-24T14:02:00Z * bob waves
    2026-11-24T14:03:11Z -- message 512 was removed: spam

Times are UTC. A paste is written whole, as long as it is kept whole. The text ends with the message that was the last
when it was asked for: a busy room would never end.

The room is read in pages by number, with nothing held in between but the next number, at the speed of the reader: the
next page is read when the last one has been taken. A page that expired meanwhile is left out. A reader that takes less
than about 2 kB a second is cut off like that of any response (`answer_deadline`). So what a download costs is one page
in memory; how many there may be at a time is limited for each address and in all.
"""

import re
from collections import Counter
from datetime import UTC, datetime

from aiohttp import web
from msgspec.structs import replace

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.hub import Hub
from gateway.core.protocol.events import told
from gateway.core.protocol.message import Message
from gateway.core.protocol.wire import spoken
from gateway.core.quantity import moment
from gateway.core.rooms.history import Past, Range
from gateway.errors import Code, Refusal
from gateway.web.dispatch import Call
from gateway.web.http.protocol import remote_of
from gateway.web.http.request import answered

PAGE_MESSAGES = 100
CHUNK = 16 * 1024
"""Bytes that are written before the reader is waited for."""
DOWNLOADS_PER_ADDRESS = 2
DOWNLOADS = 50
_NUMBER = re.compile(r"#?(\d{1,18})", re.ASCII)


class RoomDownload:
    """The handler."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._running: Counter[str | None] = Counter()

    async def text(self, call: Call[None]) -> web.StreamResponse:
        """`GET /r/{room}/log.txt?since=`: from a number (`512`), an age, a time of day or a date on."""
        request = call.request
        remote = remote_of(request)
        self._hub.bans.check_address(remote.address)
        room = name_rules.room(request.match_info["room"])
        since = call.query.get("since")
        counted_as = remote.counted_as
        self._check_turn(counted_as)
        self._running[counted_as] += 1
        try:
            end = await answered(self._hub.history.read(room, Range(limit=1)))
            after = await self._before(room, end, since) if since else 0
            return await self._send(request, end, after)
        finally:
            self._running[counted_as] -= 1
            self._running += Counter()  # drops those that have come to nothing

    def _check_turn(self, counted_as: str | None) -> None:
        if counted_as is not None and self._running[counted_as] >= DOWNLOADS_PER_ADDRESS:
            raise Refusal(Code.RATE_LIMITED, wording.LOG_RUNS.format(most=DOWNLOADS_PER_ADDRESS), retry_ms=10_000)
        if self._running.total() >= DOWNLOADS:
            raise Refusal(Code.BUSY, wording.TOO_MANY_WAIT, retry_ms=10_000)

    async def _before(self, room: str, end: Past, since: str) -> int:
        """The number before the first message that is wanted."""
        number = _NUMBER.fullmatch(since)
        if number:
            return int(number[1])
        at = moment(since, self._hub.clock.wall())
        if at is None:
            raise Refusal(Code.BAD_MESSAGE, wording.LOG_SINCE_WHEN.format(words=sanitize.shown(since)))
        past = await answered(self._hub.history.read(room, Range(at=at, limit=1)))
        found = past.messages
        return found[0].seq - 1 if found and found[0].ts >= at else end.head

    async def _send(self, request: web.Request, end: Past, after: int) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/plain; charset=utf-8",
                "Content-Disposition": f'inline; filename="{end.room}.log.txt"',
                "Cache-Control": "no-store",
            }
        )
        await response.prepare(request)
        while after < end.head and request.method != "HEAD":
            wanted = Range(after=after, before=end.head + 1, limit=PAGE_MESSAGES)
            page = await answered(self._hub.history.read(end.room, wanted))
            if page.epoch != end.epoch or not page.messages:
                break
            await self._write(response, page.messages)
            after = page.messages[-1].seq
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, messages: list[Message]) -> None:
        chunk = bytearray()
        for message in messages:
            if message.paste is not None:
                whole = await answered(self._hub.journal.paste(message.room, message.seq).map(told))
                if whole is not None:  # otherwise its last line says how much is missing
                    message = replace(message, text=whole, paste=None)
            at = datetime.fromtimestamp(message.ts / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for line in spoken(message):
                chunk += f"{at} {line}\n".encode()
            if len(chunk) >= CHUNK:
                await response.write(bytes(chunk))
                chunk.clear()
        if chunk:
            await response.write(bytes(chunk))
