"""Real programs that people type into, on an emulated terminal: who gets the line editor, and what it shows there."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pexpect
import pyte
import pytest

from tests.bridge.gateways import Gateway
from tests.bridge.peers import HOST, Terminal, history
from tests.fakes import until

WIDTH, HEIGHT = 70, 24
Program = Callable[[str], str]


class Screen:
    """A program on a terminal that can be looked at."""

    def __init__(self, *command: str, term: str = "xterm-256color") -> None:
        self.child: Any = pexpect.spawn(
            command[0], list(command[1:]), dimensions=(HEIGHT, WIDTH), env={**os.environ, "TERM": term}, timeout=45
        )
        self.emulator = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.ByteStream(self.emulator)

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *problem: object) -> None:
        self.child.close(force=True)

    def types(self, *keys: str) -> None:
        """Type one key after the other."""
        for key in keys:
            self.child.send(key)

    def looks(self) -> list[str]:
        """What can be read, without empty rows."""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            while True:
                self.stream.feed(self.child.read_nonblocking(65536, timeout=0))
        return [row.rstrip() for row in self.emulator.display if row.strip()]

    def sees(self, condition: Callable[[list[str]], object]) -> list[str]:
        """Wait until what can be read is so; the rows."""
        until(lambda: condition(self.looks()), f"on the screen: {self.looks()}")
        return self.looks()


def ends(words: str) -> Callable[[list[str]], bool]:
    """The last row ends in these words."""
    return lambda rows: bool(rows) and rows[-1].endswith(words)


@pytest.fixture(params=["telnet", "plink", "stty"])
def editing(request: pytest.FixtureRequest, shared: Gateway, program: Program) -> Iterator[Screen]:
    """A program whose terminal sends every key, in the line editor."""
    if request.param == "telnet":
        command = [program("telnet"), HOST, str(shared.telnet)]
    elif request.param == "plink":
        command = [program("plink"), "-telnet", "-P", str(shared.telnet), HOST]
    else:
        raw = f"stty -icanon -echo; exec {program('nc.openbsd')} {HOST} {shared.tcp}"
        command = [program("bash"), "-c", raw]
    with Screen(*command) as screen:
        if request.param == "stty":
            screen.sees(lambda rows: any("/quit leaves" in row for row in rows))
            screen.types("/mode char\n")
        screen.sees(ends(">"))
        yield screen


def test_the_line_survives_what_others_say(editing: Screen, shared: Gateway) -> None:
    editing.types("half a li", "n", "e", "\x1b[D", "\x1b[D")
    with Terminal(shared.tcp) as bob:
        bob.send("/nick bob", "wide 日本語 words and many more of them, so that the row ends before the line")
        rows = editing.sees(lambda rows: any("日本語" in row for row in rows) and rows[-1].endswith("> half a line"))
    editing.types("X\r")
    until(lambda: history(shared.web, "lobby")[-1]["text"] == "half a liXne")

    assert [row for row in rows if "> " in row] == rows[-1:]
    editing.sees(lambda rows: rows[-2].endswith(": half a liXne") and rows[-1].endswith(">"))


def whole(rows: list[str]) -> bool:
    """The long line stands there once, and is wrapped for the window."""
    (first, *more) = [at for at, row in enumerate(rows) if "> abcdefghij" in row] or [0]
    return not more and "".join(rows[first:]).endswith("> " + LONG)


LONG = "abcdefghij" * 9


def test_a_window_that_changes_its_size_keeps_one_line(shared: Gateway, program: Program) -> None:
    with Screen(program("telnet"), HOST, str(shared.telnet)) as screen:
        screen.sees(ends(">"))
        screen.types(LONG)
        screen.sees(whole)
        for width in (40, 33, 100):
            screen.emulator.resize(HEIGHT, width)
            screen.child.setwinsize(HEIGHT, width)
            screen.sees(whole)


MUD_CLIENTS = {"tt++": ["-G", "-e", "#session {{x}} {{{host}}} {{{port}}}"], "tf": ["-f/dev/null", "{host}", "{port}"]}


@pytest.mark.parametrize("client", MUD_CLIENTS)
def test_a_mud_client_shows_what_is_typed(shared: Gateway, program: Program, client: str) -> None:
    options = [option.format(host=HOST, port=shared.telnet) for option in MUD_CLIENTS[client]]
    words = f"hello from {client}"
    with Screen(program(client), *options) as screen:
        screen.sees(lambda rows: any("/quit leaves" in row for row in rows))
        screen.types(words)
        screen.sees(lambda rows: any(words in row for row in rows))
        screen.types("\r")
        until(lambda: history(shared.web, "lobby")[-1]["text"] == words)

        assert not [row for row in screen.looks() if row.startswith("[lobby]")]


def test_a_dumb_terminal_gets_whole_lines(shared: Gateway, program: Program) -> None:
    with Screen(program("telnet"), HOST, str(shared.telnet), term="dumb") as screen:
        screen.sees(lambda rows: any("/quit leaves" in row for row in rows))
        screen.types("said on paper\r")
        until(lambda: history(shared.web, "lobby")[-1]["text"] == "said on paper")

        assert not [row for row in screen.looks() if row.startswith("[lobby]")]
