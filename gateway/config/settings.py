"""Every setting, defined once.

A setting is a field of a struct below: its type says how it is written and which values are valid, its default what
holds without it, its `Meta` what it means. The TOML key, the environment variable, the flag, the help, the output of
`gateway check` and the README's table are all read from there.

Only `cli.main` and `server` read this module; other parts are given the plain values they need.

Why by hand, on msgspec and tomllib: `gateway check` shows for each value which place decided it, an error names the
nearest known name without showing secrets, and all errors are reported at once. pydantic-settings does none of
the three and alone costs 1.5 times the import of aiohttp.web at every start.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, structs
from platformdirs import user_data_path

from gateway.config.credentials import Accounts, Hash, Tokens
from gateway.config.values import (
    BasePath,
    Count,
    Duration,
    File,
    Folder,
    Form,
    HostNames,
    Hosts,
    Networks,
    Origins,
    Port,
    RedisUrl,
    Size,
    Switch,
    Words,
    Workers,
    choice,
    home,
)
from gateway.core.quantity import whole_number

PREFIX = "GATEWAY_"
# Choices are Literals, not enums: a part that is given one compares it with a word and need not import this module.
Selector = Literal["auto", "epoll", "poll", "select", "kqueue"]
LogLevel = Literal["debug", "info", "warning", "error"]


def data_folder() -> Path:
    """The user's data folder. A relative path where no home is known (a service user has none): `sources` refuses it
    before anything is made there."""
    if home() is None and not os.environ.get("XDG_DATA_HOME"):
        return Path("gateway")
    found = user_data_path("gateway", appauthor=False)
    return Path("gateway") if "~" in found.parts else found


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one session, one address or one room may use. 0 = no limit."""

    messages_per_second: Annotated[Count, Meta(description="messages per second of one session, in the long run")] = 10
    burst: Annotated[Count, Meta(description="messages of one session at once, before the rate counts")] = 100
    connections: Annotated[
        Count, Meta(description="connections on all doors, never more than the descriptor limit less 64")
    ] = 10_000
    connections_per_ip: Annotated[
        Count, Meta(description="connections from one IPv4 address or IPv6 /64 network, loopback excepted")
    ] = 64
    rooms: Annotated[Count, Meta(description="rooms that exist at the same time in memory")] = 10_000
    log_messages: Annotated[Count, Meta(description="messages of one room that are held in memory")] = 10_000
    log_bytes: Annotated[Size, Meta(description="size of one room's messages that are held in memory")] = 8 << 20
    logs_bytes: Annotated[
        Size, Meta(description="size of all rooms' messages that are held in memory; the coldest leave it first")
    ] = 256 << 20
    address_messages_per_second: Annotated[
        Count, Meta(description="messages per second of one address (IPv6: /64), over all its sessions and POSTs")
    ] = 50
    address_burst: Annotated[Count, Meta(description="messages of one address at once, before that rate counts")] = 1000
    paste_bytes: Annotated[Size, Meta(description="size of a long text, which is shown by its first lines")] = 64 << 10
    stall_seconds: Annotated[
        Duration, Meta(description="a reader that takes nothing for that long is closed; otherwise it lags in the log")
    ] = 0.0


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ordered durable log behind the rooms."""

    durability: Annotated[
        Literal["process", "power"],
        Meta(description="what an acknowledged message survives: the end of the process, or the loss of power too"),
    ] = "process"
    retention: Annotated[Duration, Meta(description="how long messages are kept")] = 30 * 86400.0
    stream_messages: Annotated[
        Count, Meta(description="with `redis`: about how many messages of one room are kept; older ones go")
    ] = 10_000


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The web door: whom it serves, and how."""

    origins: Annotated[Origins, Meta(description="pages of other sites that may use the gateway")] = ()
    hosts: Annotated[
        HostNames,
        Meta(
            description="host names of the gateway, besides localhost, addresses and `host`; written as an origin "
            "(`https://…`): the page's address that people are told"
        ),
    ] = ()
    trusted_proxies: Annotated[
        Networks, Meta(description="HTTP proxies whose X-Forwarded-For and X-Forwarded-Proto are believed")
    ] = ()
    keepalive: Annotated[
        Duration,
        Meta(description="how long an idle HTTP connection is kept; longer than the proxy in front keeps it"),
    ] = 75.0
    hsts: Annotated[
        Duration,
        Meta(
            description="for how long a browser that came by https uses nothing else for this host name (HSTS)",
            extra={"default": "none"},
        ),
    ] = 0.0
    base_path: Annotated[
        BasePath,
        Meta(description="the path below which a proxy shows the page", extra={"default": "none"}),
    ] = ""


class RoomSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms in general."""

    create: Annotated[Switch, Meta(description="joining or posting to an unknown room creates it")] = True


class AdminSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may see the dashboard. Without any of it there is the one-time link alone."""

    password_hash: Annotated[
        Hash,
        Meta(description="password of the account `admin`: `gateway passwd` makes the hash", extra={"default": "none"}),
    ] = None
    accounts: Annotated[
        Accounts,
        Meta(
            description="accounts with a password, `NAME = {role, hash}`; a flag or variable: `NAME:ROLE:HASH …`",
            extra={"default": "none"},
        ),
    ] = {}
    tokens: Annotated[
        Tokens,
        Meta(description="bearer tokens for scripts, `name:role:sha256`"),
    ] = ()
    watch: Annotated[
        Switch, Meta(description="admins may watch what a connection sends and gets, for ten minutes, audited")
    ] = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The effective settings of one run. Durations are seconds, sizes bytes."""

    host: Annotated[
        Hosts, Meta(description="where the doors listen; may be given more than once", extra={"origin": True})
    ] = ("127.0.0.1",)
    tcp_port: Annotated[Port, Meta(description="plain line door (netcat)", extra={"origin": True})] = 9999
    telnet_port: Annotated[Port, Meta(description="telnet door")] = 2323
    web_port: Annotated[Port, Meta(description="browser page, WebSocket, HTTP API, dashboard")] = 8080
    tls_cert: Annotated[
        File,
        Meta(
            description="certificate with its chain, PEM: the web door speaks TLS; read again at SIGHUP",
            extra={"default": "none"},
        ),
    ] = None
    tls_key: Annotated[
        File,
        Meta(description="its key, PEM, not encrypted", extra={"default": "in `tls_cert`"}),
    ] = None
    tcp_tls_port: Annotated[Port, Meta(description="plain line door over TLS (`ncat --ssl`)")] = -1
    telnet_tls_port: Annotated[Port, Meta(description="telnet door over TLS (`telnet-ssl -z ssl`)")] = -1
    data: Annotated[
        Folder, Meta(description="folder of the journal and the keys", extra={"default": "the user's data folder"})
    ] = msgspec.field(default_factory=data_folder)
    redis: Annotated[
        RedisUrl,
        Meta(
            description="the journal is in this Redis (7 or later) instead of `data`; gateways with the same one are "
            "one chat: each room has the same messages, topic and history on all of them",
            extra={"default": "none"},
        ),
    ] = None
    workers: Annotated[
        Workers, Meta(description="processes that serve the same ports, one for each core; more than 1 need `redis`")
    ] = 1
    memory: Annotated[Switch, Meta(description="keep nothing on disk")] = False
    ports_file: Annotated[
        File,
        Meta(
            description="once all doors listen, their ports are written here as JSON",
            extra={"default": "none", "origin": True},
        ),
    ] = None
    classic: Annotated[Switch, Meta(description="the chat of the project's origin, on the plain door alone")] = False
    console: Annotated[
        Switch, Meta(description="the operator prompt `>>>:` on standard input", extra={"origin": True})
    ] = False
    selector: Annotated[
        Selector, Meta(description="how `echo` and `--classic` wait for their sockets", extra={"origin": True})
    ] = "auto"
    proxy_protocol: Annotated[
        Networks, Meta(description="proxies that begin each connection with a PROXY header, on every door")
    ] = ()
    motd: Annotated[Words, Meta(description="message of the day, shown below the greeting")] = ""
    log_level: Annotated[LogLevel, Meta(description="lowest level that is logged")] = "info"
    log_format: Annotated[Literal["text", "json"], Meta(description="how log lines are written")] = "text"
    limits: LimitSettings = LimitSettings()
    journal: JournalSettings = JournalSettings()
    web: WebSettings = WebSettings()
    rooms: RoomSettings = RoomSettings()
    admin: AdminSettings = AdminSettings()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as the sources and the documentation use it.

    `name` is the TOML key, with its section before a dot. `type` is what msgspec checks a value against. `usual` is
    the default in words where the value itself would depend on the machine. `origin`: also counts for `gateway echo`.
    """

    name: str
    type: Any
    default: object
    description: str
    form: Form
    usual: str
    origin: bool

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.replace(".", "__").upper()

    @property
    def flag(self) -> str:
        """The documented flag; `flags` are all spellings."""
        return f"--{self.name}" if "." in self.name else f"--{self.name.replace('_', '-')}"

    @property
    def flags(self) -> list[str]:
        """Every spelling of the flag, the documented one first."""
        dashed = self.name.replace("_", "-")
        return list(dict.fromkeys([self.flag, f"--{dashed}", f"--{dashed.replace('.', '-')}"]))

    @property
    def meaning(self) -> str:
        """The description, and what every value of the form has in common."""
        return f"{self.description}; {self.form.note}" if self.form.note else self.description

    @property
    def repeatable(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self.default, tuple)

    @property
    def switch(self) -> bool:
        """Whether the value is on or off."""
        return isinstance(self.default, bool)

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty text is a value: no items, no words."""
        try:
            self.read("", is_text=True)
        except ValueError:
            return False
        return True

    def read(self, value: object, *, is_text: bool) -> object:
        """The checked value. `is_text`: it comes from where everything is text. Raises ValueError when it is not
        valid."""
        if isinstance(value, str) and self.form.parse is not None:
            value = self.form.parse(value)
        text = value
        value = msgspec.convert(value, self.type, strict=not is_text)
        if type(value) is int and isinstance(text, str) and whole_number(text.removeprefix("-")) is None:
            raise ValueError(text)  # msgspec reads 9999.0 and 1e4 too
        if self.form.check is not None:
            self.form.check(value)
        return value

    def line(self, value: object) -> str:
        """The setting as a line of a TOML file; as a comment when it is not set, or not to be shown."""
        if value is None or (self.form.veil and not value):
            return f"# {self.name} is not set"
        return f"# {self.name}: {self.form.veil(value)}" if self.form.veil else f"{self.name} = {self.toml(value)}"

    def toml(self, value: object) -> str:
        """`value` as TOML writes it; empty for none, which TOML cannot write."""
        if value is None:
            return ""
        return json.dumps(self.form.show(value) if self.form.show else value, ensure_ascii=False)


def settings_of(struct: type[msgspec.Struct], section: str = "") -> Iterator[Setting]:
    """The settings that a struct defines, those of its sections last."""
    sections = []
    for each in structs.fields(struct):
        if isinstance(each.type, type) and issubclass(each.type, msgspec.Struct):
            sections.append(each)
            continue
        kind, *metas = get_args(each.type)
        extra: dict[str, Any] = {}
        for meta in metas:
            extra |= meta.extra or {}
        yield Setting(
            name=section + each.name,
            type=each.type,
            default=each.default if each.default_factory is msgspec.NODEFAULT else each.default_factory(),
            description=metas[-1].description,
            form=choice(get_args(kind)) if get_origin(kind) is Literal else extra["form"],
            usual=extra.get("default", ""),
            origin=extra.get("origin", False),
        )
    for each in sections:
        yield from settings_of(each.type, f"{each.name}.")


def value_of(settings: Settings, name: str) -> object:
    """The value of the setting with that name."""
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


SETTINGS = {setting.name: setting for setting in settings_of(Settings)}
VARIABLES = {setting.variable: setting for setting in SETTINGS.values()}


def markdown_table() -> str:
    """The settings as the README shows them."""
    rows = ["| TOML key | flag | environment | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for setting in SETTINGS.values():
        default = setting.usual or f"`{setting.toml(setting.default)}`"
        rows.append(f"| `{setting.name}` | `{setting.flag}` | `{setting.variable}` | {default} | {setting.meaning} |")
    return "\n".join(rows) + "\n"
