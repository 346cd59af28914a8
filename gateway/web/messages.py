"""A single message over HTTP: reading the whole of a paste, and taking a message back.

Who asks is found in this order: a bearer token that proves an identity of the chat is the author's; any other bearer
token, or the cookie with the CSRF token, must be an operator's. A browser's request from another site never counts by
its cookie.
"""

import msgspec
from aiohttp import web

from gateway import wording
from gateway.core import name_rules
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.operators.redaction import Author, MessagePlace
from gateway.core.protocol.events import told, too_fast
from gateway.core.quantity import whole_number
from gateway.core.sessions.session import Identity
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import CSRF_HEADER, Login, bearer, source
from gateway.web.dispatch import BOM, Call, decoded
from gateway.web.http.protocol import peer_address, remote_of
from gateway.web.http.request import SEQ_LIMIT, answered, read_body
from gateway.web.settings import WebOptions

PASTE_HEADERS = {
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""What one user has sent is shown as the text that it is, and may be removed at any time."""


class RedactRequest(msgspec.Struct, gc=False):
    """The optional body of a removal: why."""

    reason: str = ""


class MessageDoor:
    """The handlers of one message's addresses."""

    def __init__(self, hub: Hub, operators: Operators, login: Login, options: WebOptions) -> None:
        self._hub = hub
        self._redaction = operators.redaction
        self._login = login
        self._options = options

    async def redact(self, call: Call[None]) -> web.Response:
        """`DELETE /r/{room}/messages/{seq}`: 204 once the message is removed."""
        request = call.request
        self._hub.bans.check_address(peer_address(request))
        room, seq = name_rules.room(request.match_info["room"]), self._seq(request)
        place = MessagePlace(room, seq, call.query.get("epoch") or None)
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        reason = decoded(body, RedactRequest).reason if body.removeprefix(BOM).strip() not in (b"", b"null") else ""
        author = await self._author(request)
        if author is None:
            operator = self._login.writer(request, request.headers.get(CSRF_HEADER), "redact", place.text)
            await answered(self._redaction.redact(operator, place, reason))
        else:
            by = Author((author.id,), author.nick, source(request))
            await answered(self._redaction.take_back(by, place, reason))
        return web.Response(status=204)

    async def paste(self, call: Call[None]) -> web.Response:
        """`GET /r/{room}/paste/{seq}`: the whole text, as it was sent and gated."""
        request = call.request
        self._hub.bans.check_address(peer_address(request))
        room, seq = name_rules.room(request.match_info["room"]), self._seq(request)
        message = await answered(self._hub.removals.find(room, seq))
        text = await answered(self._hub.journal.paste(room, seq).map(told)) if message.paste is not None else None
        if text is None:
            raise Refusal(Code.NO_SUCH_MESSAGE, wording.NO_SUCH_PASTE.format(seq=seq, room=room))
        return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=PASTE_HEADERS)

    def _seq(self, request: web.Request) -> int:
        seq = whole_number(request.match_info["seq"], 19)
        if seq is None or seq >= SEQ_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, wording.NOT_A_NUMBER.format(words="that"))
        return seq

    async def _author(self, request: web.Request) -> Identity | None:
        """The identity of the chat that the bearer token proves, within the rate of its address."""
        token = bearer(request)
        await answered(self._hub.directory.look_up(token))
        author = None if token is None else self._hub.identities.identities.by_token(token)
        if author is not None:
            remote, now, rates = remote_of(request), self._hub.clock.now(), self._hub.rate_limit.addresses
            self._hub.bans.check_poster(author.nick, author.id, remote.address)
            seconds = rates.wait(remote.counted_as, now)
            if seconds:
                raise too_fast(seconds)
            rates.pay(remote.counted_as, now)
        return author
