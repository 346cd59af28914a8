"""SIGHUP: the settings are read again from where they came, and what can change while the gateway runs changes.

`Parts.take_changes` is the list of the settings that change, and what each changes; a changed setting that is not in it
is logged as needing a restart, at each reload, until it has its old value again. Wrong settings change nothing at all.
Reading takes about 3 ms of the loop (a small file and the checks of all settings); applying must take no longer.

What a part is given of the settings, at the start and again at a reload, is made here too, so that both agree.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway import wording
from gateway.accounts.accounts import Account, Accounts, Token
from gateway.accounts.authenticator import Authenticator
from gateway.config.credentials import ROOT_NAME
from gateway.config.settings import SETTINGS, AdminSettings, Settings, value_of
from gateway.core import sanitize
from gateway.core.address import Networks, named_host
from gateway.core.connection_limits import ConnectionLimits
from gateway.core.doors.join import Greeting
from gateway.core.doors.sign_in import log_out
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.roles import Role
from gateway.core.rooms.retention import Retention
from gateway.core.sessions.rate_limit import Limits
from gateway.errors import GatewayError, Refusal
from gateway.process import logs
from gateway.process.resources import connection_limit
from gateway.tcp.acceptor import Acceptor
from gateway.tls import Certificate
from gateway.web.app import WebDoor

log = logging.getLogger(__name__)

Apply = Callable[[Settings], None]


class Reloading:
    """`settings` are those of the start; `again` reads them again and raises ConfigError."""

    def __init__(self, settings: Settings, again: Callable[[], Settings]) -> None:
        self._running = {name: value_of(settings, name) for name in SETTINGS}
        self._again = again
        self._takers: list[tuple[Sequence[str], Apply]] = []
        self._always: list[Apply] = []

    def on(self, *names: str, apply: Apply) -> None:
        """Call `apply` with the new settings when one of these has changed. A name is a setting's, or a section's with
        its dot (`limits.`)."""
        self._takers.append((names, apply))

    def on_files(self, *names: str, apply: Apply) -> None:
        """The same at every reload: these name files whose content may have changed."""
        self._takers.append((names, lambda new: None))
        self._always.append(apply)

    def reload(self) -> None:
        """Read and apply. Raises nothing: what is wrong is logged."""
        try:
            settings = self._again()
        except GatewayError as problem:
            log.error(wording.LOG_RELOAD_WRONG, "; ".join(str(problem).splitlines()))
            return
        found = {name: value_of(settings, name) for name in SETTINGS}
        changed = [name for name, value in found.items() if value != self._running[name]]
        taken = [name for name in changed if any(_names(names, name) for names, _ in self._takers)]
        for names, apply in self._takers:
            if any(_names(names, name) for name in taken):
                self._attempt(lambda apply=apply: apply(settings))  # type: ignore[misc]
        for apply in self._always:
            self._attempt(lambda apply=apply: apply(settings))  # type: ignore[misc]
        self._running |= {name: found[name] for name in taken}
        said = wording.RELOAD_CHANGED.format(settings=", ".join(taken)) if taken else wording.RELOAD_SAME
        log.info(wording.LOG_RELOADED, said)
        left = [name for name in changed if name not in taken]
        if left:
            log.warning(wording.LOG_RELOAD_RESTART, ", ".join(left))

    def _attempt(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            log.exception(wording.LOG_RELOAD_FAILED)


def _names(names: Sequence[str], name: str) -> bool:
    return any(name.startswith(each) if each.endswith(".") else name == each for each in names)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts whose settings change. `certificate` None: no TLS."""

    hub: Hub
    retention: Retention
    admission: ConnectionLimits
    acceptor: Acceptor
    passwords: Authenticator
    operators: Operators
    greeting: Greeting
    web: WebDoor
    certificate: Certificate | None

    def take_changes(self, reloading: Reloading) -> None:
        """Register the settings that change, each with what it changes."""
        change = reloading.on
        change("limits.", "rooms.create", apply=self._limit)
        change("web.origins", "web.hosts", "web.trusted_proxies", apply=lambda new: self.web.reload(*neighbours(new)))
        change("proxy_protocol", apply=self._trust_introductions)
        change("journal.retention", apply=lambda new: self.retention.keep(new.journal.retention))
        change("log_level", "log_format", apply=self._log)
        change("motd", apply=self._announce_daily)
        change("admin.password_hash", "admin.accounts", "admin.tokens", apply=self._trust_operators)
        if self.certificate is not None:
            reloading.on_files("tls_cert", "tls_key", apply=self.certificate.reload)

    def _limit(self, new: Settings) -> None:
        self.admission.connections = connection_limit(new.limits.connections)
        self.admission.per_address = new.limits.connections_per_ip
        self.hub.limit(hub_limits(new))

    def _trust_introductions(self, new: Settings) -> None:
        self.acceptor.introductions.proxies = Networks(new.proxy_protocol)

    def _log(self, new: Settings) -> None:
        logs.start(new.log_level, new.log_format)
        self.operators.log_level.settle(new.log_level)

    def _announce_daily(self, new: Settings) -> None:
        self.greeting.motd = message_of_the_day(new.motd)

    def _trust_operators(self, new: Settings) -> None:
        """Log out the people whose account is gone, or has another role or password."""
        changed = self.passwords.know(accounts_of(new.admin))
        self.web.logins.revoke(changed)
        log_out(self.hub, changed)
        self.hub.identities.reserve(self.passwords.names)


def hub_limits(settings: Settings) -> Limits:
    """The hub's limits from the settings."""
    limits = settings.limits
    return Limits(
        messages_per_second=limits.messages_per_second,
        burst=limits.burst,
        address_messages_per_second=limits.address_messages_per_second,
        address_burst=limits.address_burst,
        rooms=limits.rooms,
        log_messages=limits.log_messages,
        log_bytes=limits.log_bytes,
        logs_bytes=limits.logs_bytes,
        paste_bytes=limits.paste_bytes,
        stall_seconds=limits.stall_seconds,
        create_rooms=settings.rooms.create,
    )


def message_of_the_day(words: str) -> str:
    """The words after the text gate."""
    try:
        return sanitize.lines(words) if words else ""
    except Refusal:
        return ""


def neighbours(settings: Settings) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """The host names of the web door, the foreign origins and the proxies it believes."""
    web = settings.web
    return (*map(named_host, web.hosts), *settings.host), web.origins, web.trusted_proxies


def accounts_of(settings: AdminSettings) -> Accounts:
    """The accounts and tokens of the settings."""
    accounts = [Account(ROOT_NAME, Role.ADMIN, settings.password_hash)] if settings.password_hash else []
    accounts += [Account(name, Role[each.role.upper()], each.hash) for name, each in settings.accounts.items()]
    tokens = []
    for token in settings.tokens:
        name, role, digest = token.split(":")
        tokens.append(Token(name, Role[role.upper()], digest.lower()))
    return Accounts(accounts, tokens)
