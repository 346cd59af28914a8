"""The load generator: rooms of readers and writers, one thread, one selector.

What is true here. If a server joins a tick's messages into one send, a load generator that reads them all is as busy as
the server: per tick it needs one system call per reader as well. So a reader costs one `recv_into` a shared buffer and
one comparison of memory (`delivery_check.ExpectedOrder`), only some readers' arrivals are timed, and the
collector is off meanwhile.

Rules. Closed loop: a message is in flight until its own writer has seen it come back (a writer that is not sent its own
messages: until another peer of the room has); a writer refills once per turn, with one send. Open loop: messages leave
by the clock, and latency counts from when a message should have left, so that a server that stalls is not spared the
messages that queued meanwhile. A latency includes the generator's own way to that reader's socket.
"""

import gc
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.bench.machine import allow_descriptors, cpu_seconds, memory_bytes, waiting_seconds
from gateway.bench.peer import Dialect, LoadConnection, Writing, choose_sampled, dial
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan, Payload
from gateway.bench.reader import AuthorReader, Noise, Reader
from gateway.bench.room import BenchRoom

BUFFER_BYTES = 256 << 10
STALLED_BUFFER_BYTES = 32 << 10
"""Small enough to be full soon; with less than half of it the kernel opens the window again only every 200 ms."""
PROBE_SECONDS = 0.1
TURN_SECONDS = 0.1
CARE_SECONDS = 0.05
LINGER_SECONDS = 0.1
TROUBLED_LINGER_SECONDS = 0.3
UNSENT_BYTES = 1 << 20
OVERDUE_AT_ONCE = 256
DIALS_A_TURN = 50
PROBED_ROOMS = 200

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Span:
    """What the run took: seconds of wall-clock time, of the server's CPU time (None: unknown) and of our own.

    `waited`: seconds that both could have run but other processes had the cores, added up. `memory`: bytes by which the
    server's memory has grown (None: unknown).
    """

    seconds: float
    server_cpu: float | None
    load_cpu: float
    waited: float
    memory: int | None


class Load:
    """One run against one server. `progress(what, share)` is called now and then."""

    def __init__(self, plan: LoadPlan, target: BenchTarget, dialect: Dialect, progress: Progress) -> None:
        self.plan = plan
        self.target = target
        self.remarks = Noise()
        self.rooms = [BenchRoom(plan.room_name(number), dialect.split) for number in range(plan.rooms)]
        self.peers: list[LoadConnection] = []
        self._dialect = dialect
        self._progress = progress
        self._texts = Payload(plan.size)
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._heard_at = time.perf_counter()
        self._care_at = 0.0
        self._free: dict[LoadConnection, BenchRoom] = {}
        self.room_of: dict[LoadConnection, BenchRoom] = {}
        self._authors: list[LoadConnection] = []

    def run(self) -> Span:
        """Connect, wait until all are in their room, publish, wait until all is delivered or nothing comes any more.

        Raises BenchError when the run could not begin, or the server went away. Whether everything arrived is decided
        by the report.
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
        """The peers that write, by their number."""
        return [peer for peer in self.peers if peer.writing is not None]

    @property
    def published(self) -> list[int]:
        """Messages published per writer."""
        return [len(peer.writing.times) for peer in self.writers if peer.writing is not None]

    def counts(self, peer: LoadConnection) -> bool:
        """Whether what that peer received counts as deliveries."""
        return (self.plan.count_writers or peer.writing is None) and not peer.stalled

    def _measure(self) -> Span:
        self._stall()
        began, waited = time.perf_counter(), self._waited()
        pid = self.target.pid
        server, own, memory = cpu_seconds(pid), time.process_time(), memory_bytes(pid)
        self._publish(began)
        self._drain()
        now, grown = cpu_seconds(pid), memory_bytes(pid)
        span = Span(
            self._heard_at - began,
            None if now is None or server is None else now - server,
            time.process_time() - own,
            self._waited() - waited,
            None if grown is None or memory is None else grown - memory,
        )
        if not any(peer.open for peer in self.peers):
            raise BenchError(self._gone(span.seconds))
        self._wake()
        self._linger()
        return span

    def _gone(self, seconds: float) -> str:
        said = f"; it said: {' / '.join(self.remarks.kept)}"
        return f"the gateway went away after {seconds:.1f} s: all {len(self.peers)} connections were closed{said}"

    def _waited(self) -> float:
        return waiting_seconds(0) + (waiting_seconds(self.target.pid) if self.target.pid is not None else 0.0)

    # Connecting

    def _connect(self) -> None:
        plan = self.plan
        allow_descriptors(plan.connections)
        doors = plan.writing_doors or tuple(filter(None, [self.target.writing_door()]))
        if not doors:
            raise BenchError("the writers need the tcp or the web door, and both are closed there")
        for number in range(plan.all_writers):
            room = self.rooms[number // plan.writers]
            self._join(room, doors[number % len(doors)], Writing(number, plan.share_of_window(number)))
        for number in range(plan.rooms * plan.readers):
            self._join(self.rooms[number % plan.rooms], plan.doors[number // plan.rooms % len(plan.doors)], None)
        for number in range(plan.stalled):
            self._join(self.rooms[0], plan.doors[number % len(plan.doors)], None, STALLED_BUFFER_BYTES)
        for door in {peer.door: None for peer in self.peers}:
            choose_sampled(
                [peer for peer in self.peers if peer.door == door and self.counts(peer) and not _skips(peer)]
            )

    def _join(self, room: BenchRoom, door: str, writing: Writing | None, receive: int | None = None) -> None:
        if len(self.peers) % DIALS_A_TURN == 0:
            self._progress("connecting", len(self.peers) / self.plan.connections)
            self._turn(0)
        sock, first = dial(self.target, door, self._dialect.path(room.name), receive)
        peer = LoadConnection(sock, door, self._reader(room, door, writing), writing)
        peer.stalled = receive is not None
        room.peers.append(peer)
        self.peers.append(peer)
        self.room_of[peer] = room
        if _skips(peer):
            self._authors.append(peer)
        self._selector.register(sock, selectors.EVENT_READ, peer)
        peer.reader.take(first)
        entering = self._dialect.enter_to_write if writing and self.plan.echo else self._dialect.enter
        self._send(peer, [entering(door, room.name)])

    def _reader(self, room: BenchRoom, door: str, writing: Writing | None) -> Reader:
        if writing is None or self.plan.echo or door == "web":
            return Reader(room.order(door), self._texts, self.remarks)
        return AuthorReader(room.order(door), self._texts, self.remarks, writing.number)

    def _wait_until_all_read(self) -> None:
        """Send probes until every peer has seen one, in whatever form: then all are in their room.

        No reply to a join is waited for, because its wording is not part of the contract.
        """
        next_probe, deadline, fewest = 0.0, time.perf_counter() + self.plan.patience, len(self.peers)
        while waiting := [room for room in self.rooms if room.waiting()]:
            now = time.perf_counter()
            missing = sum(len(room.waiting()) for room in waiting)
            if missing < fewest:
                fewest, deadline = missing, now + self.plan.patience
            self._progress("joining", 1 - missing / len(self.peers))
            if now > deadline or not all(peer.open for peer in self.peers):
                raise BenchError(self._nobody_there(missing))
            if now >= next_probe:
                self._probe(waiting)
                next_probe = now + PROBE_SECONDS
            self._turn(PROBE_SECONDS / 4)

    def _probe(self, waiting: list[BenchRoom]) -> None:
        """Say a probe in some of the rooms that are waited for, those first that had none for longest."""
        for room in sorted(waiting, key=lambda room: room.probes)[:PROBED_ROOMS]:
            self._say(room, room.prober(), [self._texts.probe])

    def _nobody_there(self, waiting: int) -> str:
        closed = sum(not peer.open for peer in self.peers)
        doors = ", ".join(sorted({peer.door for peer in self.peers if not peer.reader.ready}))
        said = f"; it said: {' / '.join(self.remarks.kept)}" if self.remarks.kept else ""
        cut = f", {closed} were closed by the server" if closed else ""
        full = "; start it with --limits.connections 0, and a higher `ulimit -n`" if "full" in said else ""
        return f"{waiting} of {len(self.peers)} connections ({doors}) never came into the room{cut}{full}{said}"

    # Publishing

    def _publish(self, began: float) -> None:
        total = self.plan.messages
        self._free = {peer: room for room in self.rooms for peer in room.writers}
        writers = list(self._free.items())
        sent = 0
        while not self._is_over(began, sent):
            left = total - sent if total is not None else 1 << 60
            sent += self._refill(left) if self.plan.rate is None else self._tick(writers, began, sent, left)
            self._turn(self._until_next(began, sent))

    def _is_over(self, began: float, sent: int) -> bool:
        plan, now = self.plan, time.perf_counter()
        if plan.messages is not None and sent >= plan.messages:
            return True
        if plan.seconds is not None and now - began >= plan.seconds:
            return True
        if now < self._care_at:
            return False
        self._care_at = now + CARE_SECONDS
        self._progress("publishing", self._share(began, sent))
        for room in self.rooms:
            room.trim()
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

    def _refill(self, left: int) -> int:
        """Closed loop: every writer that got messages back sends what its window allows, in one send. Returns the
        messages sent."""
        sent = 0
        free, self._free = self._free, {}
        for peer, room in free.items():
            if peer.writing is not None and peer.open and (count := min(peer.writing.room(), left - sent)) > 0:
                self._publish_now(room, peer, peer.writing, [time.perf_counter()] * count)
                sent += count
        return sent

    def _tick(self, writers: list[tuple[LoadConnection, BenchRoom]], began: float, sent: int, left: int) -> int:
        """Open loop: send what is due by now, the writers in turn. Returns the messages sent."""
        rate = self.plan.rate or 1.0
        due = min(int((time.perf_counter() - began) * rate) + 1 - sent, left, OVERDUE_AT_ONCE)
        for number in range(sent, sent + due):
            peer, room = writers[number % len(writers)]
            if peer.writing is None or len(peer.out) > UNSENT_BYTES:
                return number - sent
            self._publish_now(room, peer, peer.writing, [began + number / rate])
        return max(due, 0)

    def _until_next(self, began: float, sent: int) -> float:
        if self.plan.rate is None:
            return TURN_SECONDS
        return min(TURN_SECONDS, max(0.0, began + sent / self.plan.rate - time.perf_counter()))

    def _publish_now(self, room: BenchRoom, peer: LoadConnection, writing: Writing, times: list[float]) -> None:
        first = len(writing.times)
        writing.times += times
        self._say(room, peer, [self._texts.write(writing.number, first + more) for more in range(len(times))])

    def _say(self, room: BenchRoom, peer: LoadConnection, texts: list[bytes]) -> None:
        self._send(peer, [self._dialect.say(peer.door, room.name, text) for text in texts])

    def _drain(self) -> None:
        """Read until all peers have everything, or no message has come for too long, or no peer is left."""
        incomplete = list(self.rooms)
        since = time.perf_counter()
        while incomplete:
            if incomplete[-1].is_complete():
                incomplete.pop()
            elif time.perf_counter() - max(since, self._heard_at) > self.plan.patience:
                return
            else:
                self._progress("draining", 1.0)
                self._turn(TURN_SECONDS)

    # Peers that stop reading

    def _stall(self) -> None:
        for peer in self.peers:
            if peer.stalled:
                self._selector.unregister(peer.sock)

    def _wake(self) -> None:
        """Let the stalled peers read until they have the newest message, or nothing has come for too long."""
        behind = [peer for peer in self.peers if peer.stalled]
        for peer in behind:
            self._selector.register(peer.sock, selectors.EVENT_READ, peer)
        self._heard_at = time.perf_counter()
        while behind and time.perf_counter() - self._heard_at < self.plan.patience:
            if self.rooms[0].has_the_end(behind[-1]):
                behind.pop()
            else:
                self._progress("waking", 1.0)
                self._turn(TURN_SECONDS)

    def _linger(self) -> None:
        """Read what comes after the end: repeated messages, or the late ones of readers that got some twice."""
        troubled = any(peer.reader.own is not None for peer in self.peers if not peer.stalled)
        until = time.perf_counter() + (TROUBLED_LINGER_SECONDS if troubled else LINGER_SECONDS)
        while time.perf_counter() < until:
            self._turn(LINGER_SECONDS / 5)
        for peer in self._authors:
            if isinstance(peer.reader, AuthorReader):
                peer.reader.finish()

    # One turn of the loop

    def _turn(self, timeout: float) -> None:
        buffer, clock = self._buffer, time.perf_counter
        for key, events in self._selector.select(timeout):
            peer: LoadConnection = key.data
            if events & selectors.EVENT_WRITE:
                self._send(peer, [])
            if not events & selectors.EVENT_READ:
                continue
            reader = peer.reader
            before = reader.at
            count = peer.read(buffer)
            if count == 0:
                self._lose(peer)
                continue
            if reader.at != before or reader.own is not None:
                self._heard_at = clock()
                if peer.samples is not None:
                    peer.samples.chunks.append((before, reader.at, self._heard_at))
            if peer.writing is not None and peer.look():
                self._free[peer] = self.room_of[peer]
            if reader.replies:
                self._send(peer, [reader.replies])
                reader.replies = b""
        for peer in self._authors:
            self._settle(peer)

    def _settle(self, peer: LoadConnection) -> None:
        """Others may have received meanwhile what this author is not sent."""
        if isinstance(peer.reader, AuthorReader):
            peer.reader.settle()
            if peer.look():
                self._free[peer] = self.room_of[peer]

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


def _skips(peer: LoadConnection) -> bool:
    """Whether the peer is not sent what it says itself."""
    return isinstance(peer.reader, AuthorReader)
