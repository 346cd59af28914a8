"""Orders: the JSON body of a request that wants to change something, and who gives it. Each is an attempt, which is
recorded also when it means nothing."""

from typing import TypeVar

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators import Operator
from gateway.errors import Code, Refusal
from gateway.web.body import read_body
from gateway.web.login import CSRF_HEADER, Login
from gateway.web.options import WebOptions

Order = TypeVar("Order", bound=msgspec.Struct)


class WriteRequests:
    """Takes them in."""

    def __init__(self, hub: Hub, login: Login, options: WebOptions) -> None:
        self._hub = hub
        self._login = login
        self._options = options

    def operator(self, request: web.Request, action: str, target: str = "") -> Operator:
        """Who orders; see `Login.writer`."""
        return self._login.writer(request, request.headers.get(CSRF_HEADER), action, target)

    async def take(
        self, request: web.Request, action: str, target: str, shape: type[Order], optional: bool = False
    ) -> tuple[Operator, Order]:
        """Who orders what. `optional`: without a body the order is `shape()`."""
        operator = self.operator(request, action, target)
        try:
            body = await read_body(request, self._options.body_limit, self._options.body_deadline)
            return operator, shape() if optional and not body else _decoded(body, shape)
        except Refusal as refusal:
            self.refused(operator, action, target, refusal)
            raise

    def refused(self, operator: Operator, action: str, target: str, refusal: Refusal) -> None:
        """Record what was refused before a verb could."""
        self._hub.audit.note(operator, action, target, "", f"refused: {refusal.text}")


def _decoded(body: bytes, shape: type[Order]) -> Order:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(Code.BAD_MESSAGE, f"the body is not what is expected: {error}") from error
