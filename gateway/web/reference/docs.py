"""`GET /docs`: how to use the gateway, for people. Its tables are made from the tables that the gateway works by, its
examples carry the address and the ports by which the asker reached it."""

from collections.abc import Iterator
from types import UnionType
from typing import NamedTuple, get_args

import msgspec
from aiohttp import web

from gateway.core.doors.browser import Request
from gateway.core.doors.commands import COMMANDS
from gateway.core.protocol.events import AnyEvent
from gateway.errors import HTTP_STATUS
from gateway.web.http.origin_policy import OriginPolicy, host_name
from gateway.web.options import WebOptions
from gateway.web.reference.meanings import CLOSINGS, CODES
from gateway.web.reference.rooms import HEALTH, ROOMS
from gateway.web.templates import Pages


class Shape(NamedTuple):
    """One object of the protocol. A field that may be absent has a `?` behind its name."""

    type: str
    fields: str
    words: str


class DocsPage:
    """The handler."""

    def __init__(self, pages: Pages, site: OriginPolicy, options: WebOptions) -> None:
        self._pages = pages
        self._site = site
        self._options = options

    async def page(self, request: web.Request) -> web.Response:
        """The page."""
        base = self._site.base(request)
        ports = {listener.door: listener.port for listener in self._options.listeners()}
        return self._pages.answer(
            "docs.html",
            url=str(base),
            socket_url=str(base.with_scheme("wss" if base.scheme == "https" else "ws") / "ws"),
            tcp_host=host_name(self._site.host(request)),
            tcp_port=ports.get("tcp"),
            telnet_port=ports.get("telnet"),
            commands=[row for row in COMMANDS.values() if not row.order],
            orders=[row for row in COMMANDS.values() if row.order],
            paths=[(each.method, each.path, each.words.partition("\n")[0]) for each in (*ROOMS, *HEALTH)],
            to_server=list(shapes(Request)),
            to_client=list(shapes(AnyEvent)),
            codes=[(code.value, HTTP_STATUS.get(code), words) for code, words in CODES.items()],
            closings=[(each.code, each.word, words) for each, words in CLOSINGS.items()],
            version=self._options.version,
        )


def shapes(objects: UnionType) -> Iterator[Shape]:
    """What a union of Structs looks like on the wire."""
    for shape in get_args(objects):
        fields = msgspec.structs.fields(shape)
        names = [each.encode_name if each.required else f"{each.encode_name}?" for each in fields]
        yield Shape(shape.__struct_config__.tag, ", ".join(names), " ".join((shape.__doc__ or "").split()))
