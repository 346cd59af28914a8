"""The line editor on a real socket of the telnet door."""

import re
from collections.abc import Callable

import pyte
import pytest

from gateway.core.protocol.message import Door
from gateway.core.rooms.fanout import talks_in
from gateway.tcp.editor import session as editor_session
from gateway.tcp.telnet import telnet_session
from gateway.tcp.telnet.q_method import DO, ECHO, IAC, NAWS, NEW_ENVIRON, NOP, SGA, TTYPE, WILL, WONT
from tests.tcp.house import Guest, House
from tests.tcp.telnet.test_negotiation import says, tells

OFFER_END = says(DO, NEW_ENVIRON)


def window(width: int, height: int) -> bytes:
    """The peer tells its window's size."""
    return tells(NAWS, width.to_bytes(2, "big") + height.to_bytes(2, "big"))


class Typist:
    """A telnet client with a terminal."""

    def __init__(self, house: House, width: int = 60, height: int = 20, answers: bool = False) -> None:
        self.house = house
        self.guest: Guest = house.stranger()
        self.emulator = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.emulator)
        self.answers = answers
        """Whether the terminal tells where its cursor is."""
        self.guest.hears(OFFER_END)
        self.guest.forgets()
        self.guest.says(says(DO, SGA, DO, ECHO, WILL, NAWS, WONT, TTYPE, WONT, NEW_ENVIRON) + window(width, height))
        self.sees(">")

    def looks(self) -> list[str]:
        """What can be read, without empty rows."""
        self.guest.listens()
        heard, self.guest.heard = self.guest.heard, b""
        if self.answers and b"\x1b[6n" in heard:
            self.guest.says(b"\x1b[%d;%dR" % (self.emulator.cursor.y + 1, self.emulator.cursor.x + 1))
        self.stream.feed(heard.replace(b"\x1b[6n", b"").replace(b"\x1b[>c", b"").replace(bytes((IAC, NOP)), b""))
        return [row.rstrip() for row in self.emulator.display if row.strip()]

    def sees(self, words: str) -> list[str]:
        """Wait for a row that holds the words; all rows."""
        self.house.until(lambda: any(words in row for row in self.looks()))
        return self.looks()


@pytest.fixture
def house(new_house: Callable[..., House]) -> House:
    """A house with a telnet door."""
    return new_house(Door.TELNET)


def test_a_half_typed_line_survives_what_others_say(house: House) -> None:
    ana = Typist(house)
    bob = house.guest("bob")
    ana.guest.says(b"half a li")
    for number in range(5):
        bob.says(b"hello %d\n" % number)
    rows = ana.sees("hello 4")

    assert rows[-1].endswith("> half a li")
    assert [row for row in rows if "hello" in row] == [f"bob: hello {number}" for number in range(5)]


def test_own_messages_come_back_in_their_place_and_commands_stay(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"/nick ana\r\0")
    ana.sees("you are ana")
    ana.guest.says(b"hello\r\0")
    rows = ana.sees("ana: hello")

    assert any(row.endswith("> /nick ana") for row in rows)
    said, prompt = rows[-2:]
    assert re.fullmatch(r"(\[\d\d:\d\d\] )?ana: hello", said), "with the time, if a minute has just begun"
    assert prompt == "[lobby] ana>"


def test_a_flood_is_shown_in_few_pieces(house: House) -> None:
    ana = Typist(house)
    bob = house.guest("bob")
    ana.guest.forgets()
    before = house.hub.stats.counters.deliveries
    for number in range(200):
        bob.says(b"hello %d\n" % number)
    ana.sees("hello 199")

    assert house.hub.stats.counters.deliveries - before >= 200


def test_an_editor_takes_at_most_so_many_batches_a_second(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = Typist(house)
    bob = house.guest("bob")
    monkeypatch.setattr(editor_session, "BATCHES_PER_SECOND", 1e-6)
    bob.says(b"one\n")
    house.until(lambda: ana.guest.session.blocked)
    bob.says(b"two\n")
    house.until(lambda: house.said == ["one", "two"])

    assert ana.guest.session.lag()[0] > 0


def test_a_new_window_draws_the_line_anew(house: House) -> None:
    ana = Typist(house, width=60)
    ana.guest.says(b"abcdefghij" * 8)
    ana.sees("cdefghij")
    ana.emulator.resize(20, 40)
    ana.guest.says(window(40, 20))

    def drawn() -> bool:
        parts = [row for row in ana.looks() if "abc" in row]
        return len(parts) == 3 and all(len(row) <= 39 for row in parts)

    house.until(drawn)
    assert sum("> " in row for row in ana.looks()) == 1


def test_a_terminal_that_wraps_is_found_out(house: House) -> None:
    ana = Typist(house, width=60)
    ana.guest.says(b"x" * 20)
    ana.sees("x" * 20)
    column = ana.emulator.cursor.x
    ana.guest.says(window(30, 20))
    ana.guest.hears(b"\x1b[6n")
    ana.guest.forgets()
    ana.guest.says(b"\x1b[18;%dR" % (column % 30 + 1))
    ana.guest.hears(b"\x1b[1A")


@pytest.mark.parametrize(("kind", "up"), [(b"84;0;0", b"\x1b[4A"), (b"0;136;0", b"\x1b[2A")])
def test_a_terminal_is_asked_what_it_is_where_its_cursor_tells_nothing(house: House, kind: bytes, up: bytes) -> None:
    ana = Typist(house, width=60)
    ana.guest.says(b"x" * 110)
    ana.sees("x" * 20)
    ana.guest.says(window(30, 20))
    ana.guest.hears(b"\x1b[>c")
    ana.guest.forgets()
    ana.guest.says(b"\x1b[>" + kind + b"c")
    ana.guest.hears(up)


def test_blank_lines_of_a_paste_are_kept(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"/paste\r\0")
    ana.sees("a line that is only a dot ends it")
    ana.guest.says(b"one\r\0\r\0two\r\0.\r\0")
    house.until(lambda: house.said)

    assert house.said == ["one\n\ntwo"]


def test_a_confirmed_paste_is_one_message_whatever_stands_in_it(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"\x1b[200~one\n\n.\n/nick eve\nfour\nfive\nsix\x1b[201~")
    ana.sees("send 7 lines? y/n")
    ana.guest.says(b"y", b"after\r\0")
    house.until(lambda: len(house.said) == 2)

    assert house.said == ["one\n\n.\n/nick eve\nfour\nfive\nsix", "after"]
    assert not [row for row in ana.sees(": after") if "dot" in row]  # the lines were there: no more are asked for


def test_a_paste_into_an_open_one_needs_no_question_and_its_last_dot_ends_it(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"/paste\r\0")
    ana.sees("a line that is only a dot ends it")
    ana.guest.says(b"\x1b[200~1\n\n2\n.\n3\n4\n5\n6\n.\n\x1b[201~", b"after\r\0")
    house.until(lambda: len(house.said) == 2)

    assert house.said == ["1\n\n2\n.\n3\n4\n5\n6", "after"]


def test_a_paste_outside_any_room_is_refused_as_a_whole(house: House) -> None:
    ana = Typist(house)
    member = talks_in(ana.guest.session)
    assert member is not None
    house.hub.leave(member)
    ana.guest.says(b"\x1b[200~" + b"/join lobby\n" * 6 + b"\x1b[201~")
    ana.sees("send 6 lines? y/n")
    ana.guest.says(b"y")
    ana.sees("join a room first")
    ana.guest.says(b"after\r\0")
    ana.sees("/join lobby")

    assert house.said == []


def test_a_half_typed_line_is_not_sent_when_the_connection_ends(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"half")
    ana.sees("> half")
    ana.guest.says_no_more()
    ana.guest.hears_all()

    assert house.said == []


def test_are_you_there_and_interrupt_are_answered_above_the_line(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"half", b"\xff\xf6")
    rows = ana.sees("still here")
    ana.guest.says(b"\xff\xf4")
    house.until(lambda: ana.looks()[-1].endswith(">"))

    assert rows[-1].endswith("> half")


def test_telnets_own_commands_erase_in_the_editor(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"no", b"\xff\xf8abc\xff\xf7d\r\0")
    house.until(lambda: house.said)

    assert house.said == ["abd"]


def test_a_farewell_takes_the_line_away(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"half", b"\x03", b"/quit\r\0")
    ana.guest.hears_all()
    rows = ana.looks()

    assert rows[-1].startswith("-- bye")
    assert not [row for row in rows if row.endswith(">")]


def test_with_hold_on_enter_alone_shows_what_has_waited(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telnet_session, "HOLD_OPEN", 0.2)
    ana, bob = Typist(house), house.guest("bob")
    ana.guest.says(b"/hold on\r\0")
    ana.sees("wait until you press Enter")
    now = house.hub.clock.now()
    house.until(lambda: house.hub.clock.now() - now > 0.3)
    bob.says(b"hello\n")
    house.until(lambda: ana.guest.session.blocked)
    waited = not [row for row in ana.looks() if "hello" in row]
    ana.guest.says(b"\r\0")
    ana.sees("bob: hello")

    assert waited and house.said == ["hello"]


def test_bytes_that_are_not_utf_8_are_told_once(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"gr\xfc\xdfe\r\0", b"gr\xfc\xdfe\r\0")
    house.until(lambda: len(house.said) == 2)
    ana.guest.says(b"/echo\r\0")
    rows = ana.sees("come back")

    assert "".join(rows).count("not UTF-8") == 1


def test_a_peer_that_reads_nothing_is_not_drawn_for(new_house: Callable[..., House]) -> None:
    house = new_house(Door.TELNET)
    ana = Typist(house)
    for number in range(300):
        ana.guest.says(b"\x15" + b"%d " % number * 500)
    house.until(lambda: "299 299" in ana.looks()[-1])


def test_the_window_s_title_is_the_room_and_the_name_while_it_is_wanted(house: House) -> None:
    ana = Typist(house)
    ana.guest.says(b"/nick ana\r\0")
    ana.sees("you are ana")
    assert ana.emulator.title == ""
    for command, title in (("/title on", "lobby · ana"), ("/join ops", "ops · ana"), ("/nick bo", "ops · bo")):
        ana.guest.says(command.encode() + b"\r\0")
        house.until(lambda title=title: ana.looks() and ana.emulator.title == title)  # type: ignore[misc]
    heard: list[bytes] = []
    for command in ("/title off", "/title on", "/quit"):
        ana.guest.says(command.encode() + b"\r\0")
        ana.guest.hears(b"\x1b[22;2t\x1b]2;ops" if command == "/title on" else b"\x1b[23;2t")
        heard.append(ana.guest.heard)
        ana.guest.forgets()
    assert [each.count(b"\x1b]2;") for each in heard] == [0, 1, 0]
