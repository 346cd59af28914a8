"""A web door on a real port, with a fake chat behind it; every test runs on asyncio's loop and on uvloop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import aiohttp
import pytest
import uvloop
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from gateway.accounts.accounts import Accounts
from gateway.accounts.authenticator import Authenticator
from gateway.web import static_files
from gateway.web.app import WebDoor
from gateway.web.settings import WebOptions
from tests.fakes import SkippingClock
from tests.web.little_chat import LittleChat
from tests.web.running_door import LittleAdmission, Running, Start

NOBODY = Accounts()
TEMPLATES = {
    "chat.html": '<p data-room="{{ room }}" data-js="{{ static("a.js") }}">nc {{ tcp_host }} {{ tcp_port }}'
    " {{ telnet_port }} {{ version }}</p>",
    "admin.html": '<meta name="csrf-token" content="{{ csrf }}">{{ page.total }}{{ page.cursor }}{{ query.sort }}'
    "{% for row in page.connections %}<tr>{{ row.id }} {{ row.door }}</tr>{% endfor %}{{ summary.health }}"
    "{{ user.role }}{{ may_operate }}{{ page_url }}{{ tcp_host }}{{ tcp_port }}{{ telnet_port }}"
    "{% if result %}it is {{ result }}{% endif %}",
    "login.html": "{% if problem %}{{ problem }}{% endif %}{% if token %}<button value={{ token }}>{% endif %}"
    "{% if passwords %}<input value='{{ name }}'>{% endif %}{% if wait %} {{ wait }} s{% endif %}",
    "error.html": "<h1>{{ status }} {{ title }}</h1><p>{{ text }}</p><a href={{ link }}>back</a>",
}


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


class CompiledTemplates(BytecodeCache):
    """Templates by what they are made of: compiling the real ones takes a third of a second."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def templates_are_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static_files, "Environment", partial(Environment, bytecode_cache=CompiledTemplates()))
        yield


@pytest.fixture
def options(tmp_path: Path) -> WebOptions:
    (tmp_path / "templates").mkdir()
    (tmp_path / "static").mkdir()
    for name, text in TEMPLATES.items():
        (tmp_path / "templates" / name).write_text(text)
    (tmp_path / "static" / "a.js").write_text("export const a = 1;\n" * 20)
    return WebOptions(templates=tmp_path / "templates", static=tmp_path / "static")


@pytest.fixture
async def start(options: WebOptions) -> AsyncIterator[Start]:
    """Starts a web door with changed options; stops it after the test."""
    started: list[Running] = []

    async def begin(register: Accounts = NOBODY, **changes: Any) -> Running:
        clock, admission = SkippingClock(), LittleAdmission()
        chat = LittleChat(clock)
        authenticator = Authenticator(register, clock)
        door = WebDoor(
            chat.hub,
            chat.operators,
            chat.terminals,
            chat.requests,
            replace(options, **changes),
            authenticator,
            admission=admission,
        )
        await door.start()
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listener.setblocking(False)
        started.append(Running(door, chat, clock, listener, admission, authenticator))
        return started[-1]

    yield begin
    for running in started:
        await running.stop()


@pytest.fixture
async def web(start: Start) -> Running:
    return await start()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session
