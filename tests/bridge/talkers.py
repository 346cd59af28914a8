"""Peers that talk and read until their gateway is gone, and record what they saw (`tests.bridge.records`)."""

import contextlib
import http.client
import itertools
import json
import random
import threading
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.bridge.gateways import Gateway
from tests.bridge.peers import HOST, Browser, Terminal
from tests.bridge.records import Records, Row
from tests.fakes import PATIENCE

GONE = (OSError, EOFError, ConnectionClosed, http.client.HTTPException, ValueError)
WINDOW = 20
"""Messages of one browser that may wait for their ack."""


class Talkers:
    """Threads with one peer each, in the lobby. `seed` decides their tokens."""

    def __init__(self, gateway: Gateway, records: Records, seed: int) -> None:
        self.gateway = gateway
        self.records = records
        self.over = threading.Event()
        self._dying = threading.Event()
        self._random = random.Random(seed)
        self._threads: list[threading.Thread] = []
        self.epochs: set[str] = set()
        self.problems: list[BaseException] = []

    def begin(self, cycle: int) -> None:
        """Start two peers on each door, and a reader on each."""
        self.over.clear()
        self._dying.clear()
        kinds: list[tuple[str, Callable[[str, Tokens], None]]] = [
            ("tcp", self._terminal), ("tcp", self._terminal), ("telnet", self._telnet), ("web", self._browser),
            ("web", self._browser), ("http", self._poster), ("http", self._poster),
        ]  # fmt: skip
        for number, (door, talk) in enumerate(kinds):
            name = f"{door}{number}-{cycle}"
            tokens = Tokens(name, door, self.records, random.Random(self._random.random()))
            self._threads.append(threading.Thread(target=self._live, args=(talk, name, tokens), daemon=True))
        for thread in self._threads:
            thread.start()

    def expect_death(self) -> None:
        """The gateway is killed next: from here on a connection may break anywhere, also while it is being made."""
        self._dying.set()

    def end(self) -> None:
        """Wait for all of them."""
        self.over.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        self._threads.clear()
        assert not self.problems, self.problems

    def _live(self, talk: "Callable[[str, Tokens], None]", name: str, tokens: "Tokens") -> None:
        try:
            with contextlib.suppress(*GONE):
                talk(name, tokens)
        except InvalidMessage as problem:
            # A handshake that was cut is an attempt that did not come in. It is no problem if the kill cut it; an
            # answer that is not HTTP always is one, and so is a living gateway that hangs up.
            if not (self._dying.is_set() and isinstance(problem.__cause__, EOFError)):
                self.problems.append(problem)
        except BaseException as problem:
            self.problems.append(problem)

    def _terminal(self, name: str, tokens: "Tokens") -> None:
        self._lines(self.gateway.tcp, name, "tcp", tokens)

    def _telnet(self, name: str, tokens: "Tokens") -> None:
        self._lines(self.gateway.telnet, name, "telnet", tokens)

    def _lines(self, port: int, name: str, door: str, tokens: "Tokens") -> None:
        with Terminal(port) as terminal:
            terminal.send("/echo on")
            reader = threading.Thread(target=self._read_lines, args=(terminal, name, door), daemon=True)
            reader.start()
            try:
                while not self.over.wait(0.002):
                    terminal.send(tokens.next())
            finally:
                reader.join(20)

    def _read_lines(self, terminal: Terminal, name: str, door: str) -> None:
        with contextlib.suppress(*GONE):
            while True:
                author, said, token = terminal.line(1.0 if self.over.is_set() else 20.0).partition(": ")
                if said and token.count(":") == 2 and not author.startswith("!!"):
                    self.records.add(Row(name, door, "shown", token))

    def _browser(self, name: str, tokens: "Tokens") -> None:
        with Browser(self.gateway.web, nick=name) as browser:
            epoch = browser.joined["lobby"]["epoch"]
            self.epochs.add(epoch)
            waiting: dict[str, str] = {}
            while not self.over.is_set() or waiting:
                while len(waiting) < WINDOW and not self.over.is_set():
                    token = tokens.next()
                    waiting[browser.post(token)] = token
                found = browser.receive()
                if found["type"] == "ack":
                    self.records.add(Row(name, "web", "acked", waiting.pop(found["id"]), epoch, found["seq"]))
                elif found["type"] == "msg":
                    self.records.add(Row(name, "web", "shown", found["text"], epoch, found["seq"]))
                elif found["type"] == "gap":
                    self.records.add(Row(name, "web", "gap", "", epoch, found["from"], found["to"]))
                elif found["type"] == "error":
                    waiting.pop(found.get("id", ""), None)
                elif found["type"] == "joined":
                    epoch = found["epoch"]
                    self.epochs.add(epoch)

    def _poster(self, name: str, tokens: "Tokens") -> None:
        connection = http.client.HTTPConnection(HOST, self.gateway.web, timeout=PATIENCE)
        with contextlib.closing(connection):
            while not self.over.is_set():
                token = tokens.next()
                connection.request("POST", f"/r/lobby?nick={name}", token)
                answer = connection.getresponse()
                body = json.loads(answer.read())
                if answer.status == 201:
                    self.records.add(Row(name, "http", "acked", token, body["epoch"], body["seq"]))


class Tokens:
    """What one peer sends: `sender:counter:random`, recorded as sent before it leaves."""

    def __init__(self, name: str, door: str, records: Records, dice: random.Random) -> None:
        self._name = name
        self._door = door
        self._records = records
        self._dice = dice
        self._counter = itertools.count(1)

    def next(self) -> str:
        """The next one."""
        token = f"{self._name}:{next(self._counter)}:{self._dice.getrandbits(48):x}"
        self._records.add(Row(self._name, self._door, "sent", token))
        return token
