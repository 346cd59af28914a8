"""The load generator: many readers, a few writers, one thread, one selector.

What is true here. If a server joins a tick's messages into one send, a load generator that reads them all is as busy as
the server: per tick it needs one system call per reader as well. So a reader costs one `recv_into` a shared buffer and
one comparison of memory (`verdict.ExpectedOrder`), only some readers' arrivals are timed, and garbage collection is off
meanwhile.

Rules. Closed loop: a message is in flight until its own writer has seen it come back; a writer refills once per turn,
with one send. Open loop: messages leave by the clock, and latency counts from when a message should have left, so
that a server that stalls is not spared the messages that queued meanwhile. A latency includes the generator's own way
to that reader's socket.
"""

import gc
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.bench.machine import allow_descriptors, cpu_seconds, waiting_seconds
from gateway.bench.peer import Dialect, LatencySamples, LoadConnection, Writing, choose_sampled, dial
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan, Payload
from gateway.bench.reader import Noise, Reader
from gateway.bench.verdict import ExpectedOrder, split_frames, split_lines

BUFFER_BYTES = 256 << 10
PROBE_SECONDS = 0.1
TURN_SECONDS = 0.1
LINGER_SECONDS = 0.1
TROUBLED_LINGER_SECONDS = 0.3
UNSENT_BYTES = 1 << 20
OVERDUE_AT_ONCE = 256

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Span:
    """What the run took: seconds of wall-clock time, of the server's CPU time (None: unknown) and of our own.

    `waited`: seconds that both could have run but other processes had the cores, added up.
    """

    seconds: float
    server_cpu: float | None
    load_cpu: float
    waited: float


class Load:
    """One run against one server. `progress(what, share)` is called now and then."""

    def __init__(self, plan: LoadPlan, target: BenchTarget, dialect: Dialect, progress: Progress) -> None:
        self.plan = plan
        self.target = target
        self.remarks = Noise()
        self.peers: list[LoadConnection] = []
        self.samples: dict[str, LatencySamples] = {}
        self._dialect = dialect
        self._progress = progress
        self._texts = Payload(plan.size)
        self._orders: dict[str, ExpectedOrder] = {}
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._heard_at = time.perf_counter()

    def run(self) -> Span:
        """Connect, wait until all are in the room, publish, wait until all is delivered or nothing comes any more.

        Raises BenchError when the run could not begin. Whether everything arrived is decided by the report.
        """
        try:
            self._connect()
            self._wait_until_all_read()
            gc.collect()
            gc.disable()
            return self._measure()
        finally:
            gc.enable()
            self._close()

    @property
    def writers(self) -> list[LoadConnection]:
        """The peers that write."""
        return [peer for peer in self.peers if peer.writing is not None]

    @property
    def readers(self) -> list[LoadConnection]:
        """The peers that only read; their deliveries are counted."""
        return [peer for peer in self.peers if peer.writing is None]

    @property
    def published(self) -> list[int]:
        """Messages published per writer."""
        return [len(peer.writing.times) for peer in self.writers if peer.writing is not None]

    def _measure(self) -> Span:
        began, waited = time.perf_counter(), self._waited()
        server, own = cpu_seconds(self.target.pid), time.process_time()
        self._publish(began)
        self._drain()
        now = cpu_seconds(self.target.pid)
        used = None if now is None or server is None else now - server
        span = Span(self._heard_at - began, used, time.process_time() - own, self._waited() - waited)
        self._linger()
        return span

    def _waited(self) -> float:
        return waiting_seconds(0) + (waiting_seconds(self.target.pid) if self.target.pid is not None else 0.0)

    # Connecting

    def _connect(self) -> None:
        plan = self.plan
        allow_descriptors(plan.readers + plan.writers)
        door = self.target.writing_door()
        if door is None:
            raise BenchError("the writers need the tcp or the web door, and both are closed there")
        for number in range(plan.writers):
            window = plan.window * (number + 1) // plan.writers - plan.window * number // plan.writers
            self._join(door, self._dialect.enter_to_write(door, plan.room), Writing(number, window))
        for number in range(plan.readers):
            self._join(plan.door_of(number), self._dialect.enter(plan.door_of(number), plan.room), None)
            if number % 50 == 0:
                self._progress("connecting", number / plan.readers)
                self._turn(0)
        for door in plan.doors:
            choose_sampled([peer for peer in self.readers if peer.door == door])
            self.samples[door] = LatencySamples(self._order(door))

    def _join(self, door: str, words: bytes, writing: Writing | None) -> None:
        sock, first = dial(self.target, door, self._dialect.web_path)
        peer = LoadConnection(sock, door, Reader(self._order(door), self._texts, self.remarks), writing)
        self.peers.append(peer)
        self._selector.register(sock, selectors.EVENT_READ, peer)
        peer.reader.take(first)
        self._send(peer, [words])

    def _order(self, door: str) -> ExpectedOrder:
        if door not in self._orders:
            self._orders[door] = ExpectedOrder(split_frames if door == "web" else split_lines)
        return self._orders[door]

    def _wait_until_all_read(self) -> None:
        """Send probes until every peer has seen one, in whatever form: then all are in the room.

        No reply to a join is waited for, because its wording is not part of the contract.
        """
        first = self.writers[0]
        next_probe, deadline = 0.0, time.perf_counter() + self.plan.patience
        while waiting := sum(not peer.reader.ready for peer in self.peers):
            now = time.perf_counter()
            self._progress("joining", 1 - waiting / len(self.peers))
            if now > deadline or not all(peer.open for peer in self.peers):
                raise BenchError(self._nobody_there(waiting))
            if now >= next_probe:
                self._say(first, [self._texts.probe])
                next_probe = now + PROBE_SECONDS
            self._turn(PROBE_SECONDS / 4)

    def _nobody_there(self, waiting: int) -> str:
        closed = sum(not peer.open for peer in self.peers)
        doors = sorted({peer.door for peer in self.peers if not peer.reader.ready})
        said = f"; it said: {' / '.join(self.remarks.kept)}" if self.remarks.kept else ""
        cut = f", {closed} were closed by the server" if closed else ""
        return f"{waiting} of {len(self.peers)} connections ({', '.join(doors)}) never came into the room{cut}{said}"

    # Publishing

    def _publish(self, began: float) -> None:
        total = self.plan.messages
        writers = self.writers
        sent = 0
        while not self._is_over(began, sent):
            left = total - sent if total is not None else 1 << 60
            sent += self._refill(writers, left) if self.plan.rate is None else self._tick(writers, began, sent, left)
            self._turn(self._until_next(began, sent))
            self._progress("publishing", self._share(began, sent))

    def _is_over(self, began: float, sent: int) -> bool:
        plan, now = self.plan, time.perf_counter()
        if plan.messages is not None and sent >= plan.messages:
            return True
        if plan.seconds is not None and now - began >= plan.seconds:
            return True
        return self._has_stalled(now) or not any(peer.open for peer in self.peers)

    def _has_stalled(self, now: float) -> bool:
        """Whether something is in flight and nothing has come for too long."""
        oldest = [peer.writing.in_flight_since() for peer in self.writers if peer.writing is not None]
        waiting = [since for since in oldest if since is not None]
        return bool(waiting) and now - max(min(waiting), self._heard_at) > self.plan.patience

    def _share(self, began: float, sent: int) -> float:
        by_clock = (time.perf_counter() - began) / self.plan.seconds if self.plan.seconds is not None else 0.0
        by_count = sent / self.plan.messages if self.plan.messages else 0.0
        return min(1.0, max(by_clock, by_count))

    def _refill(self, writers: list[LoadConnection], left: int) -> int:
        """Closed loop: every writer sends what its window allows, in one send. Returns the messages sent."""
        sent = 0
        for peer in writers:
            if peer.writing is not None and peer.open and (count := min(peer.writing.room(), left - sent)) > 0:
                self._publish_now(peer, peer.writing, [time.perf_counter()] * count)
                sent += count
        return sent

    def _tick(self, writers: list[LoadConnection], began: float, sent: int, left: int) -> int:
        """Open loop: send what is due by now, the writers in turn. Returns the messages sent."""
        rate = self.plan.rate or 1.0
        due = min(int((time.perf_counter() - began) * rate) + 1 - sent, left, OVERDUE_AT_ONCE)
        for number in range(sent, sent + due):
            peer = writers[number % len(writers)]
            if peer.writing is None or len(peer.out) > UNSENT_BYTES:
                return number - sent
            self._publish_now(peer, peer.writing, [began + number / rate])
        return max(due, 0)

    def _until_next(self, began: float, sent: int) -> float:
        if self.plan.rate is None:
            return TURN_SECONDS
        return min(TURN_SECONDS, max(0.0, began + sent / self.plan.rate - time.perf_counter()))

    def _publish_now(self, peer: LoadConnection, writing: Writing, times: list[float]) -> None:
        first = len(writing.times)
        writing.times += times
        self._say(peer, [self._texts.write(writing.number, first + more) for more in range(len(times))])

    def _say(self, peer: LoadConnection, texts: list[bytes]) -> None:
        self._send(peer, [self._dialect.say(peer.door, self.plan.room, text) for text in texts])

    def _drain(self) -> None:
        """Read until all peers have everything, or no message has come for too long, or no peer is left."""
        published = sum(self.published)
        most, since = -1, 0.0
        while any(peer.open and peer.reader.seen() < published for peer in self.peers):
            seen, now = sum(peer.reader.seen() for peer in self.peers), time.perf_counter()
            if seen > most:
                most, since = seen, now
            elif now - since > self.plan.patience:
                return
            self._progress("draining", 1.0)
            self._turn(TURN_SECONDS)

    def _linger(self) -> None:
        """Read what comes after the end: repeated messages, or the late ones of readers that got some twice."""
        troubled = any(peer.reader.own is not None for peer in self.peers)
        until = time.perf_counter() + (TROUBLED_LINGER_SECONDS if troubled else LINGER_SECONDS)
        while time.perf_counter() < until:
            self._turn(LINGER_SECONDS / 5)

    # One turn of the loop

    def _turn(self, timeout: float) -> None:
        buffer, clock = self._buffer, time.perf_counter
        for key, events in self._selector.select(timeout):
            peer: LoadConnection = key.data
            if events & selectors.EVENT_WRITE:
                self._send(peer, [])
            if not events & selectors.EVENT_READ:
                continue
            before = peer.reader.at
            count = peer.read(buffer)
            if count == 0:
                self._lose(peer)
                continue
            if peer.reader.at != before:
                self._heard_at = clock()
                if peer.sampled:
                    self.samples[peer.door].chunks.append((before, peer.reader.at, self._heard_at))
            if peer.reader.replies:
                self._send(peer, [peer.reader.replies])
                peer.reader.replies = b""
        self._trim()

    def _trim(self) -> None:
        for order in self._orders.values():
            if order.wants_trim():
                standing = [peer.reader for peer in self.peers if peer.open and peer.reader.order is order]
                order.trim(min((reader.at for reader in standing if reader.own is None), default=order.end))

    def _send(self, peer: LoadConnection, pieces: list[bytes]) -> None:
        peer.write(pieces)
        wanted = selectors.EVENT_READ | selectors.EVENT_WRITE if peer.out else selectors.EVENT_READ
        if peer.open and self._selector.get_key(peer.sock).events != wanted:
            self._selector.modify(peer.sock, wanted, peer)

    def _lose(self, peer: LoadConnection) -> None:
        peer.open = False
        self._selector.unregister(peer.sock)
        self.remarks.keep(f"the server closed a {peer.door} connection")

    def _close(self) -> None:
        for peer in self.peers:
            peer.sock.close()
        self._selector.close()
