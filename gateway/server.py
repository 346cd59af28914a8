"""The gateway: builds the parts, starts and stops them in order, and turns the loop's events into ticks.

One thread, one asyncio loop. The selectors server's own epoll descriptor is registered with that loop, so terminal and
browser traffic meet in one thread without a lock or a queue. The selectors server accepts for all doors, and hands the
web door's connections to aiohttp.
"""

import asyncio
import hashlib
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway import __version__, wording
from gateway.accounts.authenticator import Authenticator, Others
from gateway.config.settings import Settings
from gateway.core.address import Networks, host_and_port
from gateway.core.clock import Clock
from gateway.core.connection_limits import ConnectionLimits
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.join import Greeting
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.operators.assembly import operators_over
from gateway.core.operators.commands import OperatorPrompt
from gateway.core.ports.cluster import Cluster, NodeCard
from gateway.core.ports.journal import Journal
from gateway.core.protocol.message import Door
from gateway.core.rooms.retention import Retention
from gateway.core.stats.health import Ceilings
from gateway.core.stats.recent import Statistics
from gateway.errors import Refusal, StartError
from gateway.journal.index import SqliteIndex
from gateway.journal.memory import MemoryJournal
from gateway.journal.sqlite import SqliteJournal
from gateway.listeners import Listeners, by_port_name
from gateway.login_link import LoginLinkKey
from gateway.process import console, logs
from gateway.process.gc_policy import GcPolicy
from gateway.process.heartbeat import Heartbeat
from gateway.process.ready import (
    Announcement,
    ready_line,
)
from gateway.process.resources import (
    WallClock,
    connection_limit,
    descriptor_limit,
    lingering_limit,
    memory_limit,
    seconds_with_sleep,
)
from gateway.process.shared_counts import WorkerCounts
from gateway.process.supervisor import Assignment
from gateway.process.systemd import ServiceManager, passed_sockets
from gateway.reload import Parts, Reloading, accounts_of, hub_limits, message_of_the_day, neighbours
from gateway.shutdown import Shutdown
from gateway.tcp.acceptor import Acceptor
from gateway.tcp.door import TerminalDoor
from gateway.tcp.reject import Rejections
from gateway.tcp.server import Server, new_selector
from gateway.tcp.tcp_info import kernel_of
from gateway.tls import certificate_of
from gateway.web.app import WebDoor
from gateway.web.http.request import answered
from gateway.web.settings import ListenerState, WebOptions
from gateway.web.static_files import templates

if TYPE_CHECKING:
    from gateway.redis.node import Node

log = logging.getLogger(__name__)

TERMINAL_DOORS = (Door.TCP, Door.TELNET)
PORTS_OF_NAME = ("web", "tcp", "telnet", "tcp_tls", "telnet_tls")
"""A node is named by the first of these ports that it has."""


class Gateway:
    """The parts of one running gateway and their order."""

    def __init__(
        self,
        settings: Settings,
        again: Callable[[], Settings],
        loop: asyncio.AbstractEventLoop,
        token_key: bytes,
        node: "Node | None" = None,
        worker: Assignment | None = None,
    ) -> None:
        self.settings = settings
        self.node = node
        """None: this gateway shares its journal with no other."""
        self.worker = worker
        """None: this process is the whole gateway on this machine."""
        part = None if worker is None else worker.part
        self.loop = loop
        self._wakeup: asyncio.Handle | None = None
        self._wakeup_at = 0.0
        self.certificate = certificate_of(settings)
        self._scheme = "http" if self.certificate is None else "https"
        limits = settings.limits
        self.admission = ConnectionLimits(connection_limit(limits.connections), limits.connections_per_ip, part)
        self.clock = Clock(time.monotonic, WallClock(), self._schedule, elapsed=seconds_with_sleep)
        self.journal = self._open_journal()
        self.hub = self._open_hub(token_key, part)
        keep = settings.journal.retention
        self.retention = Retention(self.journal, self.hub.rooms, keep, self.clock, self.hub.search.expired)
        self.server = Server(new_selector("auto"), later=loop.call_later)
        rejections = Rejections(self.server, lingering_limit(self.admission.connections))
        self.acceptor = Acceptor(self.server, self.hub, self.admission, rejections, Networks(settings.proxy_protocol))
        self.manager = ServiceManager.of(os.environ) if worker is None else ServiceManager(worker.mouth)
        passed = by_port_name(passed_sockets(os.environ), settings) if worker is None else worker.sockets
        self.listeners = Listeners(self.server, self.hub.gate, dict(passed), part)
        payments, known = (None, None) if part is None else (part.attempts, part.known)
        others = Others(self.hub.cluster, self._family, worker is None or worker.place == 0)
        self.passwords = Authenticator(accounts_of(settings.admin), self.clock.now, payments, known, others)
        self.hub.identities.reserve(self.passwords.names)
        self.operators = operators_over(
            self.hub,
            self.passwords,
            self.listeners,
            logs.set_level,
            random_bits=secrets.randbits,
            watch=settings.admin.watch,
        )
        self.operators.log_level.settle(settings.log_level)
        self.greeting = Greeting(message_of_the_day(settings.motd))
        self.terminals = Terminals(self.hub, self.operators, self.greeting)
        self.shutdown = Shutdown(
            self.hub, self.server, self.listeners, self.acceptor, self.admission, codes=not settings.memory
        )
        self.gc_policy = GcPolicy()
        self.heartbeat = Heartbeat(
            loop, self.hub, self.gc_policy, lambda: self.manager.alive(self._status), lambda: self.listeners.queue
        )
        self.key = None if settings.memory else LoginLinkKey(settings.data, None if worker is None else worker.secret)
        self.prompt = OperatorPrompt(self.hub, self.operators)
        self.web = self._web_door()
        self.reloading = Reloading(settings, again)
        self._changeable().take_changes(self.reloading)

    def _open_hub(self, token_key: bytes, part: WorkerCounts | None) -> Hub:
        """The hub over the journal, of this node, with the counts that workers share."""
        settings, node = self.settings, self.node
        path = None if settings.memory else settings.data / "index.sqlite3"
        return Hub(
            self.journal,
            hub_limits(settings),
            self.clock,
            Statistics(self.clock, Ceilings(fds=descriptor_limit(), rss_bytes=memory_limit())),
            random_bits=secrets.randbits,
            token_key=token_key if node is None else node.token_key,
            index=SqliteIndex(path, self.loop.call_soon_threadsafe),
            feed=None if node is None else node.feed,
            cluster=None if node is None else node.cluster,
            address_payments=None if part is None else part.messages,
        )

    def _changeable(self) -> Parts:
        """What takes new settings at SIGHUP."""
        return Parts(
            self.hub,
            self.retention,
            self.admission,
            self.acceptor,
            self.passwords,
            self.operators,
            self.greeting,
            self.web,
            self.certificate,
        )

    async def start(self) -> None:
        """Open the doors and print the ready line. Raises StartError."""
        lobby = self.hub.start()
        self.operators.moderation.start()
        self.web.logins.start()
        await self.web.start()
        try:
            await answered(lobby)
        except Refusal as refusal:
            raise StartError(wording.LOBBY_CANNOT_OPEN.format(problem=refusal.text)) from None
        await answered(self.operators.orders.learn())
        self.loop.add_reader(self.server.fileno(), self.server.poll)
        self._listen()
        self.operators.orders.apply()
        hosts = self.listeners.hosts(self.settings.host)
        self.greeting.ways_in = self.listeners.ways_in(hosts, self.settings.web, self._scheme)
        self._handle_signals()
        if self.node is not None:
            self.node.cluster.introduce(self._card(self.node.cluster))
        self._tell(hosts)
        self.retention.start()
        self.gc_policy.start()
        self.heartbeat.start()
        self.hub.stats.sampler.mark(f"started, version {__version__}")
        self.manager.gone = self.shutdown.ask if self.worker is not None else self.manager.close
        self.manager.ready(self._status())
        if self.settings.console:
            threadsafe = self.loop.call_soon_threadsafe
            console.start(lambda: threadsafe(self.shutdown.ask), console.in_loop(threadsafe, self.prompt.hear))

    def _listen(self) -> None:
        """Open all ports. Raises StartError."""
        settings, tls = self.settings, self.certificate
        web, terminals = (None, None) if tls is None else (tls.for_web, tls.for_terminals)
        tcp, telnet = (TerminalDoor(each, self.server, self.terminals, self.admission) for each in TERMINAL_DOORS)
        for door, port, context in (
            (self.web, settings.web_port, web),
            (tcp, settings.tcp_port, None),
            (telnet, settings.telnet_port, None),
            (tcp, settings.tcp_tls_port, terminals),
            (telnet, settings.telnet_tls_port, terminals),
        ):
            accepted = self.acceptor.to(door, context)
            self.listeners.listen(door.door, settings.host, port, accepted, tls=context is not None)

    async def close(self) -> None:
        """Close everything."""
        await self.web.stop()
        self.heartbeat.stop()
        self.manager.close()
        self.passwords.close()
        self.loop.remove_reader(self.server.fileno())
        self.server.close()
        self.hub.search.close()
        self.journal.close()
        if self.node is not None:
            await self.node.close()
        if self.key is not None:
            self.key.remove()

    def _pause_or_resume(self) -> None:
        """Stop accepting newcomers; called again, accept. Newcomers meanwhile stay in the kernel's backlog."""
        gate = self.hub.gate
        gate.pause(not gate.paused)
        self.listeners.pause(gate.paused)
        words = wording.NEWCOMERS_PAUSED if gate.paused else wording.NEWCOMERS_ACCEPTED
        log.info(wording.LOG_NEWCOMERS, words)
        self.hub.stats.sampler.mark(wording.LOG_NEWCOMERS % words)

    def _reload(self) -> None:
        if not self.hub.gate.stopping:
            self.manager.reloading()
            self.reloading.reload()
            self.manager.ready(self._status())

    def _open_journal(self) -> Journal:
        if self.node is not None:
            return self.node.journal
        if self.settings.memory:
            return MemoryJournal()
        return SqliteJournal(
            self.settings.data / "journal.sqlite3",
            call_soon_threadsafe=self.loop.call_soon_threadsafe,
            durability=self.settings.journal.durability,
        )

    def _web_door(self) -> WebDoor:
        hosts, origins, trusted_proxies = neighbours(self.settings)
        options = WebOptions(
            templates=templates(),
            hosts=hosts,
            origins=origins,
            keepalive=self.settings.web.keepalive,
            base_path=self.settings.web.base_path,
            hsts=self.settings.web.hsts,
            tls=self.certificate is not None,
            trusted_proxies=trusted_proxies,
            link_key=self.key.secret if self.key is not None else None,
            kernel=kernel_of,
            watch=self.settings.admin.watch,
            workers=self.settings.workers,
            connection_limit=lambda: self.admission.connections,
            ready=self._not_ready,
            listeners=lambda: [
                ListenerState(each.name, host_and_port(each.host, each.port), each.port, each.state)
                for each in self.listeners.all()
            ],
        )
        return WebDoor(
            self.hub,
            self.operators,
            self.terminals,
            BrowserDoor(self.hub, self.operators, self.greeting),
            options,
            self.passwords,
            admission=self.admission,
        )

    def _card(self, cluster: Cluster) -> NodeCard:
        """What other nodes know of this one. Its name is that of the machine and a port, which stay the same."""
        ports = {name: port for name, _, port in self.listeners.named()}
        port = next((ports[name] for name in PORTS_OF_NAME if name in ports), 0)
        name = f"{socket.gethostname().partition('.')[0] or 'localhost'}:{port}"
        started, worker, doors = self.hub.stats.sampler.started_at, self.worker, tuple(self.listeners.doors())
        if worker is None:
            return NodeCard(cluster.node, cluster.number, name, version=__version__, started_at=started, doors=doors)
        place, family = worker.place + 1, self._family
        return NodeCard(cluster.node, cluster.number, name, place, family, __version__, started, doors=doors)

    @property
    def _family(self) -> str:
        """See `NodeCard.family`."""
        return "" if self.worker is None else hashlib.sha256(self.worker.secret.encode()).hexdigest()[:16]

    def _not_ready(self) -> Refusal | None:
        """Why load balancers should send nobody here; None: all is well."""
        return self.hub.gate.refusal() or self.hub.stats.sampler.refusal()

    def _status(self) -> str:
        """One line for `systemctl status`."""
        words = wording.STATUS_PAUSED if self.hub.gate.paused else wording.STATUS_SERVING
        doors = ready_line(self.listeners.named(), self._scheme)
        return words.format(sessions=len(self.hub.sessions), doors=doors)

    def _handle_signals(self) -> None:
        # Ctrl-C reaches all processes of a terminal, and the supervisor tells its workers.
        for number in (signal.SIGTERM, signal.SIGINT) if self.worker is None else (signal.SIGTERM,):
            self.loop.add_signal_handler(number, self.shutdown.ask)
        self.loop.add_signal_handler(signal.SIGHUP, self._reload)
        self.loop.add_signal_handler(signal.SIGUSR2, self._pause_or_resume)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def _tell(self, hosts: Sequence[str]) -> None:
        """Say that the doors listen, at these hosts. A worker's supervisor says it, when all of them do."""
        settings = self.settings
        if self.worker is None:
            kept = None if settings.memory else settings.data
            words = kept if self.node is None else self.node.words
            doors, path = self.listeners.named(), settings.web.base_path
            Announcement(doors, hosts, self._scheme, path, words, settings.ports_file, self.key).tell(self._link)

    def _link(self, page: str) -> str:
        return "" if self.passwords.has_operators else f"{page}admin/login?token={self.web.links.mint()}"

    def _schedule(self, seconds: float) -> None:
        """Call the hub's tick after so many seconds or sooner; 0 = before any more input is read."""
        if seconds <= 0:
            self.loop.call_soon(self.hub.tick)
            return
        when = self.loop.time() + seconds
        if self._wakeup is not None:
            if self._wakeup_at <= when:
                return
            self._wakeup.cancel()
        # uvloop returns a bare Handle, which does not know its time, when less than a millisecond is left.
        self._wakeup, self._wakeup_at = self.loop.call_at(when, self._wake), when

    def _wake(self) -> None:
        self._wakeup = None
        self.hub.tick()
