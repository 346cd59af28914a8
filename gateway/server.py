"""The gateway: builds the parts, starts and stops them in order, and turns the loop's events into ticks.

One thread, one asyncio loop. The selectors server's own descriptor is a reader of that loop, so browser and terminal
traffic meet in one place without a lock or a queue. The selectors server accepts for all doors; web sockets are handed
on to aiohttp.
"""

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from collections.abc import Callable, Container, Sequence
from concurrent.futures import Future

from gateway import __version__
from gateway.accounts.accounts import Account, Accounts, Token
from gateway.accounts.authenticator import Authenticator
from gateway.config.accounts import ROOT_NAME
from gateway.config.settings import AdminSettings, Settings
from gateway.config.sources import Reloading
from gateway.core import sanitize
from gateway.core.address import Networks
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.console import OperatorPrompt
from gateway.core.hub import Hub
from gateway.core.operators.drain import send_away
from gateway.core.operators.roles import Role
from gateway.core.ports import Journal
from gateway.core.protocol.events import Notice
from gateway.core.protocol.message import Door
from gateway.core.rooms.retention import Retention
from gateway.core.sessions.rate_limit import Limits
from gateway.core.stats.sampler import Ceilings
from gateway.errors import Code, Refusal
from gateway.journal.memory import MemoryJournal
from gateway.journal.sqlite import SqliteJournal
from gateway.listeners import ListenerGates
from gateway.login_link import LoginLinkKey
from gateway.process import console, logs
from gateway.process.figures import connection_limit, descriptor_limit, memory_limit, seconds_with_sleep
from gateway.process.gc_policy import GcPolicy
from gateway.process.heartbeat import Heartbeat
from gateway.process.ready import address, hold_standard_descriptors, reachable, ready_line, say, write_ports_file
from gateway.process.secret_key import KEY_BYTES, kept_key
from gateway.tcp.acceptor import Acceptor
from gateway.tcp.connection import TerminalDoor
from gateway.tcp.connection_limits import ConnectionLimits
from gateway.tcp.reject import Rejections
from gateway.tcp.server import Listener, Server, new_selector
from gateway.tcp.tcp_info import kernel_of
from gateway.web.app import WebDoor
from gateway.web.options import ListenerState as Shown
from gateway.web.options import WebOptions
from gateway.web.templates import templates

try:
    import uvloop
except ImportError:
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    new_loop = uvloop.new_event_loop

log = logging.getLogger(__name__)

DRAIN_SECONDS = 3.0
HEAR_OUT_SECONDS = 3.0
QUIET_TURNS = 3
"""Turns of the loop in which nothing was heard before all is taken to be said."""
CONSOLE_SECONDS = 10.0
"""How long the console's thread waits for an answer before it prompts again."""
RETRY_FIRST_MS = 500
RETRY_SPREAD_MS = 2000
CLOSES_PER_TURN = 500
CODES_SECONDS = 2.0
"""How long the journal may take to store the codes by which terminals come back."""
REFUSED_LINGERING = 256
"""Refused peers that are read out at a time, where descriptors are plenty."""
REFUSED_LEAST = 16
"""The same where they are not: these are among the reserved ones."""


def serve(settings: Settings, again: Callable[[], Settings]) -> int:
    """Run the gateway until it is told to stop; the exit code. `again` reads the settings anew. Raises StartError."""
    hold_standard_descriptors()
    logs.start(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run(settings, again))


async def run(settings: Settings, again: Callable[[], Settings]) -> int:
    """One life of a gateway in the running loop."""
    gateway = Gateway(settings, again, asyncio.get_running_loop())
    try:
        await gateway.start()
        await gateway.stopped.wait()
        await gateway.drain()
    finally:
        await gateway.close()
    return 0


class Gateway:
    """The parts of one running gateway and their order."""

    def __init__(self, settings: Settings, again: Callable[[], Settings], loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self.loop = loop
        self.stopped = asyncio.Event()
        self._hurry = asyncio.Event()
        self.accepting = True
        self._wakeup: asyncio.Handle | None = None
        self._wakeup_at = 0.0
        limits = settings.limits
        self.admission = ConnectionLimits(connection_limit(limits.connections), limits.connections_per_ip)
        self.journal = self._open_journal()
        self.hub = Hub(
            self.journal,
            hub_limits(settings),
            clock=time.monotonic,
            wall=lambda: time.time_ns() // 1_000_000,
            schedule=self._schedule,
            random_bits=secrets.randbits,
            elapsed=seconds_with_sleep,
            token_key=secrets.token_bytes(KEY_BYTES) if settings.memory else kept_key(settings.data / "token.key"),
        )
        self.retention = Retention(
            self.journal, self.hub.rooms, settings.journal.retention, wall=self.hub.trusted.now, later=self.hub.later
        )
        self.hub.meters.ceilings = Ceilings(fds=descriptor_limit(), rss_bytes=memory_limit())
        self.server = Server(new_selector("auto"), later=loop.call_later)
        refusals = Rejections(self.server, lingering_limit(self.admission.connections))
        self.entrance = Acceptor(self.server, self.hub, self.admission, refusals, Networks(settings.proxy_protocol))
        self.listeners: dict[str, list[Listener]] = {}
        self.hub.upkeep.draining.gates = ListenerGates(self.listeners)
        self.hub.upkeep.loudness.turn = logs.set_level
        self.hub.upkeep.loudness.settle(settings.log_level)
        self.collector = GcPolicy()
        self.pulse = Heartbeat(loop, self.hub, self.collector, self._accept_queue)
        self.key = None if settings.memory else LoginLinkKey(settings.data)
        self.keeper = self.hub.doorkeeper = Authenticator(register(settings.admin), self.hub.clock)
        self.prompt = OperatorPrompt(self.hub)
        self.web = self._web_door()
        self.hub.motd = message_of_the_day(settings.motd)
        self.reloading = Reloading(settings, again)
        self._let_settings_change()

    async def start(self) -> None:
        """Open the doors and say so. Raises StartError."""
        self.hub.start()
        await self.web.start()
        self.loop.add_reader(self.server.fileno(), self.server.poll)
        settings, listen = self.settings, self.server.listen_all
        self.listeners["web"] = listen(settings.host, settings.web_port, self.entrance.to(self.web))
        page = self._page_address()
        for door, port in ((Door.TCP, settings.tcp_port), (Door.TELNET, settings.telnet_port)):
            terminals = TerminalDoor(door, self.server, self.hub, self.admission, page)
            self.listeners[door] = listen(settings.host, port, self.entrance.to(terminals))
        self.hub.invitation = self._invitation(page)
        self._handle_signals()
        self._tell()
        self.retention.start()
        self.collector.start()
        self.pulse.start()
        self.hub.meters.mark(f"started, version {__version__}")
        if self.settings.console:
            console.start(lambda: self.loop.call_soon_threadsafe(self.stop), self._hear_console)

    async def drain(self) -> None:
        """Stop listening, commit and deliver what was received, tell everybody when to come back, wait for them."""
        self.hub.meters.mark("draining: the gateway stops")
        for listeners in self.listeners.values():
            for listener in listeners:
                listener.close()
        self.entrance.close()
        await self._hear_out()
        await self._send_away()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while (self.admission.count or self.hub.reception.pending) and not self._hurry.is_set():
                    await asyncio.sleep(0.02)
        self.hub.visits.tell()

    async def _send_away(self) -> None:
        """Tell everybody when to come back, and close. A journal that does not answer costs only the codes."""
        sessions = list(self.hub.sessions.values())
        codes = not self.settings.memory
        end = self.loop.time() + CODES_SECONDS
        for start in range(0, len(sessions), CLOSES_PER_TURN):
            some = sessions[start : start + CLOSES_PER_TURN]
            gone = asyncio.Event()
            send_away(self.hub, some, _retry_ms, gone.set, codes=codes)
            try:
                async with asyncio.timeout_at(end):
                    await gone.wait()
            except TimeoutError:
                codes = False
                send_away(self.hub, some, _retry_ms, gone.set, codes=False)
            await asyncio.sleep(0)

    async def _hear_out(self) -> None:
        """Say what was received and not said yet, most of it from those who were too fast, and deliver it. Peers who
        never come to an end are cut short after HEAR_OUT_SECONDS."""
        self.hub.pace.hurry()
        end = self.loop.time() + HEAR_OUT_SECONDS
        heard, quiet = -1, 0
        while quiet < QUIET_TURNS and self.loop.time() < end and not self._hurry.is_set():
            self.server.poll()
            await asyncio.sleep(0)
            quiet = 0 if self.hub.busy or self.hub.pace.heard != heard else quiet + 1
            heard = self.hub.pace.heard
        while self.hub.busy and self.loop.time() < end + HEAR_OUT_SECONDS:
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Let go of everything."""
        await self.web.stop()
        self.pulse.stop()
        self.keeper.close()
        self.loop.remove_reader(self.server.fileno())
        self.server.close()
        self.journal.close()
        if self.key is not None:
            self.key.remove()

    def _hear_console(self, line: str) -> str:
        """What the console's thread prints in answer to a line."""
        answer: Future[str] = Future()
        self.loop.call_soon_threadsafe(self.prompt.hear, line, answer.set_result)
        try:
            return answer.result(CONSOLE_SECONDS)
        except TimeoutError:
            return "busy: no answer yet, see the log"

    def stop(self) -> None:
        """Begin to drain; asked again, hurry."""
        if self.stopped.is_set():
            self._hurry.set()
        self.stopped.set()

    def _turn_the_sign(self) -> None:
        """Accept no more; asked again, accept. Who waits meanwhile stays in the kernel's backlog."""
        self.accepting = not self.accepting
        words = "accepted again" if self.accepting else "not accepted until the next SIGUSR2"
        log.info("newcomers are %s", words)
        self.hub.meters.mark(f"newcomers are {words}")
        for listeners in self.listeners.values():
            for listener in listeners:
                listener.open() if self.accepting else listener.pause()

    def _reload(self) -> None:
        if not self.stopped.is_set():
            self.reloading.reload()

    def _let_settings_change(self) -> None:
        """Say which settings SIGHUP changes, and how."""
        change = self.reloading.on
        change("limits.", "rooms.create", apply=self._limit)
        change("web.origins", "web.hosts", "web.trusted_proxies", apply=lambda new: self.web.reload(*_neighbours(new)))
        change("proxy_protocol", apply=self._trust_introductions)
        change("journal.retention", apply=lambda new: self.retention.keep(new.journal.retention))
        change("log_level", "log_format", apply=self._log)
        change("motd", apply=self._announce_daily)
        change(
            *("admin.password_hash", "admin.accounts", "admin.tokens"),
            apply=lambda new: self._trust_operators(self.keeper.know(register(new.admin))),
        )

    def _trust_operators(self, changed: Container[str]) -> None:
        """Whoever logged in by an account that is no more, or has another role or password, is a stranger again."""
        self.web.logins.revoke(changed)
        for session in self.hub.sessions.values():
            if session.operator is not None and session.operator.name.casefold() in changed:
                session.operator = None
                session.tell(Notice("your account has changed: /login again"))

    def _limit(self, new: Settings) -> None:
        self.admission.connections = connection_limit(new.limits.connections)
        self.admission.per_address = new.limits.connections_per_ip
        self.hub.limit(hub_limits(new))

    def _log(self, new: Settings) -> None:
        logs.start(new.log_level, new.log_format)
        self.hub.upkeep.loudness.settle(new.log_level)

    def _trust_introductions(self, new: Settings) -> None:
        self.entrance.proxies = Networks(new.proxy_protocol)

    def _announce_daily(self, new: Settings) -> None:
        self.hub.motd = message_of_the_day(new.motd)

    def _open_journal(self) -> Journal:
        if self.settings.memory:
            return MemoryJournal()
        return SqliteJournal(
            self.settings.data / "journal.sqlite3",
            call_soon_threadsafe=self.loop.call_soon_threadsafe,
            durability=self.settings.journal.durability,
        )

    def _web_door(self) -> WebDoor:
        hosts, origins, trusted_proxies = _neighbours(self.settings)
        options = WebOptions(
            templates=templates(),
            hosts=hosts,
            origins=origins,
            trusted_proxies=trusted_proxies,
            link_key=self.key.secret if self.key is not None else None,
            kernel=kernel_of,
            watch=self.settings.admin.watch,
            connection_limit=lambda: self.admission.connections,
            ready=self._not_ready,
            listeners=lambda: [
                Shown(door, address(*each.address), each.address[1], self._state(door, each))
                for door, listeners in self.listeners.items()
                for each in listeners
            ],
        )
        requests = BrowserDoor(self.hub)
        return WebDoor(
            self.hub,
            requests,
            options,
            self.keeper,
            clock=self.hub.clock,
            wall=self.hub.wall,
            admission=self.admission,
        )

    def _not_ready(self) -> Refusal | None:
        """Why nobody should be sent here; None: all is well."""
        if self.stopped.is_set():
            return Refusal(Code.DRAINING, "the gateway stops")
        if not self.accepting:
            return Refusal(Code.BUSY, "newcomers are not accepted at the moment", retry_ms=5000)
        return self.hub.upkeep.trouble() or self.hub.meters.refusal()

    def _state(self, door: str, listener: Listener) -> str:
        drained = self.hub.upkeep.draining.state(Door(door))
        if drained is not drained.READY and not self.stopped.is_set():
            return drained
        if listener.closed:
            return "draining" if self.stopped.is_set() else "closed"
        return "ready" if listener.accepting else "paused"

    def _accept_queue(self) -> float:
        return max((each.queue for listeners in self.listeners.values() for each in listeners), default=0.0)

    def _page_address(self) -> str:
        return "".join(f"http://{address(*reachable(*each.address))}/" for each in self.listeners["web"][:1])

    def _invitation(self, page: str) -> str:
        ways = [page] if page else []
        ways += ["nc {} {}".format(*reachable(*each.address)) for each in self.listeners[Door.TCP][:1]]
        return f"Friends can come by {' or '.join(ways)}" if ways else ""

    def _handle_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stop)
        self.loop.add_signal_handler(signal.SIGHUP, self._reload)
        self.loop.add_signal_handler(signal.SIGUSR2, self._turn_the_sign)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def _tell(self) -> None:
        """Write the ports file, then print the ready line and, below it, the way into the dashboard."""
        ports = {door: listeners[0].address[1] for door, listeners in self.listeners.items() if listeners}
        if self.settings.ports_file is not None:
            write_ports_file(self.settings.ports_file, ports)
        doors = [(door, *each.address) for door in ("tcp", "telnet", "web") for each in self.listeners[door]]
        say(ready_line(doors))
        page = self._page_address()
        if page:
            if self.key is not None:
                self.key.write(page)
            if not self.keeper.has_passwords:
                say(f"dashboard, for 15 minutes and once: {page}admin/login?token={self.web.links.mint()}")

    def _schedule(self, seconds: float) -> None:
        """Call the hub's tick after so many seconds, or sooner; 0 = before anything else is read."""
        if seconds <= 0:
            self.loop.call_soon(self.hub.tick)
            return
        when = self.loop.time() + seconds
        if self._wakeup is not None:
            if self._wakeup_at <= when:
                return
            self._wakeup.cancel()
        # uvloop answers a bare Handle, which does not know its moment, when less than a millisecond is left.
        self._wakeup, self._wakeup_at = self.loop.call_at(when, self._wake), when

    def _wake(self) -> None:
        self._wakeup = None
        self.hub.tick()


def hub_limits(settings: Settings) -> Limits:
    """What of the settings the hub keeps."""
    limits = settings.limits
    return Limits(
        messages_per_second=limits.messages_per_second,
        burst=limits.burst,
        rooms=limits.rooms,
        log_messages=limits.log_messages,
        log_bytes=limits.log_bytes,
        create_rooms=settings.rooms.create,
    )


def message_of_the_day(words: str) -> str:
    """The words as everybody may see them: through the gate."""
    try:
        return sanitize.lines(words) if words else ""
    except Refusal:
        return ""


def _neighbours(settings: Settings) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """The host names of the web door, the foreign origins and the proxies it believes."""
    web = settings.web
    return (*web.hosts, *settings.host), web.origins, web.trusted_proxies


def register(settings: AdminSettings) -> Accounts:
    """Whom the settings know."""
    accounts = [Account(ROOT_NAME, Role.ADMIN, settings.password_hash)] if settings.password_hash else []
    accounts += [Account(name, Role[each.role.upper()], each.hash) for name, each in settings.accounts.items()]
    tokens = []
    for token in settings.tokens:
        name, role, digest = token.split(":")
        tokens.append(Token(name, Role[role.upper()], digest.lower()))
    return Accounts(accounts, tokens)


def _retry_ms() -> int:
    """When one peer is to come back: not all at once."""
    return RETRY_FIRST_MS + secrets.randbelow(RETRY_SPREAD_MS)


def lingering_limit(connections: int) -> int:
    """How many refused peers may be read out at a time beside so many connections."""
    spare = connection_limit(0) - connections
    return max(REFUSED_LEAST, min(REFUSED_LINGERING, spare))
