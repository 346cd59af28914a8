"""Any bytes at all, cut anywhere: nothing raises, nothing is kept without bound, and the cuts do not matter.

For longer: `pytest tests/test_any_input.py --hypothesis-profile=long`. Against a living gateway: `-m soak -k garbage`.
"""

import json
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.protocol.close_reason import CloseReason
from gateway.tcp.lines import LineBuffer, TooLong
from gateway.tcp.telnet.parser import SUBNEGOTIATION_BYTES, Telnet, Violation
from gateway.tcp.telnet.q_method import NAWS, SGA, TTYPE, Side
from gateway.web.http.strict_frames import StrictFrames
from gateway.web.http.strict_requests import CHUNK_LINE_BYTES, LINE_BYTES, StrictRequests
from tests.core.world import World

NEVER_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
"""What no reader's screen may get, but for TAB and the ends of lines."""


def alphabet(*words: bytes) -> st.SearchStrategy[bytes]:
    """Bytes made of words that mean something to a parser, and of others."""
    return st.lists(st.one_of(st.sampled_from(words), st.binary(max_size=6)), max_size=40).map(b"".join)


CUTS = st.lists(st.integers(0, 300), max_size=6)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data`, cut there."""
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


LINES = alphabet(b"\n", b"\r", b"\r\n", b"\0", b"\r\0", b"x" * 4095, b"y" * 4097, "\u00e9".encode())


@given(LINES, CUTS)
def test_lines(data: bytes, cuts: list[int]) -> None:
    def read(chunks: list[bytes]) -> list[bytes | None]:
        buffer, found = LineBuffer(), []
        for chunk in chunks:
            buffer.feed(chunk)
            while buffer.pending():
                found += [None if isinstance(line, TooLong) else line for line in buffer.take(3)]
            assert len(buffer._partial) <= 4097
        return [*found, buffer.rest()]

    assert read(pieces(data, cuts)) == read([data] if data else [])


TELNET = alphabet(
    *(b"\xff", b"\xff\xff", b"\xff\xfb", b"\xff\xfd\x03", b"\xff\xfb\x1f", b"\xff\xfa\x1f", b"\xff\xf0", b"\xff\xf4"),
    *(b"\xff\xf2", b"\xff\xf6", b"\xff\xfa\x18\x00", b"\xff\xfa\x22" + b"\x22" * 600, b"hello\r\n", b"\xff\xfe\x01"),
)


@given(TELNET, CUTS, st.booleans())
def test_telnet(data: bytes, cuts: list[int], spoken: bool) -> None:
    def read(chunks: list[bytes]) -> tuple[bytes, bytes, bool]:
        parser = Telnet(ours=frozenset((SGA,)), theirs=frozenset((NAWS, TTYPE)), spoken=spoken)
        if spoken:
            parser.enable(Side.PEER, NAWS)
        text, replies, over = b"", parser.replies(), False
        for chunk in chunks:
            for piece in parser.feed(chunk):
                assert not over
                over = isinstance(piece, Violation)
                text += piece if isinstance(piece, bytes) else b""
            replies += parser.replies().replace(b"\xff\xfb\x06", b"")  # one answer for all that came at once
            assert len(parser._held) <= 2 * SUBNEGOTIATION_BYTES + 8
        return text + (b"" if over else parser.rest()), replies, over

    assert read(pieces(data, cuts)) == read([data] if data else [])


FRAMES = alphabet(
    *(b"\x81\x82\0\0\0\0{}", b"\x01\x80\0\0\0\0", b"\x00\x81\1\2\3\4a", b"\x80\x80\0\0\0\0", b"\x89\x80\0\0\0\0"),
    *(b"\x8a\x84\1\1\1\1abcd", b"\x88\x82\0\0\0\0\x03\xe8", b"\x88\x83\0\0\0\0\x03\xe8\xff", b"\x82\x80\0\0\0\0"),
    *(b"\x81\xfe\x00\x7e\0\0\0\0" + b"x" * 126, b"\x81\xff" + (70000).to_bytes(8, "big"), b"\x81\xfe", b"\x81\x02hi"),
)


@given(FRAMES, CUTS)
def test_frames(data: bytes, cuts: list[int]) -> None:
    def read(chunks: list[bytes]) -> tuple[list[tuple[int, bytes]], CloseReason | None, int, bool]:
        frames, given = StrictFrames(), list[tuple[int, bytes]]()
        for chunk in chunks:
            frames.feed(chunk, 0.0)
            while (frame := frames.next()) is not None:
                given.append(frame)
            assert frames.left < 66_000
        return given, frames.broken, frames.pongs, frames.began is None

    assert read(pieces(data, cuts)) == read([data] if data else [])


REQUESTS = alphabet(
    *(b"GET / HTTP/1.1\r\n", b"POST /r/x HTTP/1.1\r\n", b"GET / HTTP/2.0\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"\r"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n"),
    *(b"0\r\n\r\n", b"0\r\n", b"5;a=b\r\n", b"Upgrade: x\r\n", b"X: " + b"a" * 9000, b"hello", b"fffff", b"0" * 300),
)


@given(REQUESTS, CUTS)
def test_requests(data: bytes, cuts: list[int]) -> None:
    def read(chunks: list[bytes]) -> tuple[bool, bool, int]:
        watch, good = StrictRequests(), 0
        for chunk in chunks:
            good += watch.feed(chunk)
            assert len(watch._line) <= (CHUNK_LINE_BYTES if watch.in_body else LINE_BYTES)
            if watch.over:
                break
        return watch.broken, watch.over, len(watch._line) if not watch.over else 0

    assert read(pieces(data, cuts)) == read([data] if data else [])


def screens(do: Callable[[World], None]) -> str:
    """All that two readers, a terminal and a page, are shown while somebody does that."""
    world = World(burst=10_000)
    terminal, page = world.terminal("reader"), world.browser("page")
    world.terminal("bystander")
    do(world)
    world.later(2.5)
    shown = "\n".join(terminal.lines)
    for event in page.objects:
        shown += json.dumps(event, ensure_ascii=False)
    assert not NEVER_SHOWN.search(shown), shown
    return shown


MEANT = st.sampled_from("\x1b[]P\x9b\x07\u202e\u2066\ufeff\x00\r\n\t/# \U000e0041")
WILD = st.text(st.one_of(st.characters(), MEANT), max_size=60)
RAW = st.one_of(WILD.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=40))
COMMANDS = st.sampled_from(["", "/nick ", "/me ", "/msg reader ", "/topic ", "/join ", "/whois ", "/away ", "/"])


@given(st.lists(st.tuples(COMMANDS, RAW), max_size=4))
def test_what_a_terminal_types(lines: list[tuple[str, bytes]]) -> None:
    def type_it(world: World) -> None:
        peer = world.terminal()
        for command, words in lines:
            for line in (command.encode() + words).split(b"\n"):
                if not peer.session.closed:
                    world.terminals.line(peer.session, line)
                    world.run()

    screens(type_it)


ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WILD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WILD, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["room", "text", "nick", "id", "after", "limit", "epoch", "kind", "rooms", "token"])
TYPES = st.sampled_from(["hello", "say", "join", "part", "nick", "history", "typing", "ping"])
VALUES = st.one_of(ANY_JSON, st.sampled_from(["lobby", "x", 1, -1, 2**63, "/nick a", "/topic b", "action"]))
REQUEST = st.builds(lambda type, rest: rest | {"type": type}, TYPES, st.dictionaries(FIELDS, VALUES, max_size=5))


@given(st.lists(st.one_of(REQUEST.map(json.dumps), ANY_JSON.map(json.dumps), WILD), max_size=5))
def test_what_a_page_sends(frames: list[str]) -> None:
    def send_it(world: World) -> None:
        peer = world.browser()
        for text in frames:
            if not peer.session.closed:
                world.requests.receive(peer.session, text.encode("utf-8", "replace").decode())
                world.run()

    screens(send_it)


HARMFUL = ["\x1b[2J", "a\u202eb", "a\u2028b", "bob:", "[admin]", "*", "-->", "#x", "a" * 33, "\u200bx"]


@pytest.mark.parametrize("name", HARMFUL)
def test_a_name_that_could_harm_a_screen_is_shown_nowhere(name: str) -> None:
    shown = screens(lambda world: world.browser().asks(type="nick", nick=name))
    assert name not in shown
