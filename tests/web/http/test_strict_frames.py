"""What a broken or hostile peer sends as frames, and the code it is closed with."""

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.web.http.strict_frames import (
    CLOSE,
    CONTINUATION,
    FRAGMENT_LIMIT,
    MESSAGE_LIMIT,
    PONG,
    TEXT,
    StrictFrames,
)
from tests.fakes import eventually
from tests.web.running_door import Running, client_frame, close_code

BROKEN = {
    "unmasked": (b"\x81\x02hi", 1002),
    "reserved bit 1": (b"\xc1" + client_frame(1, b"x")[1:], 1002),
    "reserved bit 2": (b"\xa1" + client_frame(1, b"x")[1:], 1002),
    "reserved bit 3": (b"\x91" + client_frame(1, b"x")[1:], 1002),
    "unknown opcode": (client_frame(3, b"x"), 1002),
    "long control frame": (client_frame(9, b"x" * 126), 1002),
    "fragmented ping": (client_frame(9, b"x", fin=0), 1002),
    "continuation of nothing": (client_frame(0, b"x"), 1002),
    "text inside a message": (client_frame(1, b"", fin=0) + client_frame(1, b"x"), 1002),
    "binary": (client_frame(2, b"x"), 1003),
    "bad UTF-8": (client_frame(1, b"\xff\xfe"), 1007),
    "surrogate in UTF-8": (client_frame(1, b"\xed\xa0\x80"), 1007),
    "too big": (client_frame(1, b"x" * (MESSAGE_LIMIT + 1)), 1009),
    "too big in two": (client_frame(1, b"x" * 40000, fin=0) + client_frame(0, b"x" * 40000), 1009),
    "2^63 - 1": (b"\x81\xff\x7f" + b"\xff" * 7, 1009),
    "2^64 - 1": (b"\x81\xff" + b"\xff" * 8, 1009),
    "too many fragments": (client_frame(1, b"", fin=0) + client_frame(0, b"", fin=0) * FRAGMENT_LIMIT, 1008),
    "close of one byte": (client_frame(8, b"x"), 1002),
    "close 999": (client_frame(8, (999).to_bytes(2, "big")), 1002),
    "close 1005": (client_frame(8, (1005).to_bytes(2, "big")), 1002),
    "close 1006": (client_frame(8, (1006).to_bytes(2, "big")), 1002),
    "close 5000": (client_frame(8, (5000).to_bytes(2, "big")), 1002),
    "close with bad UTF-8": (client_frame(8, b"\x03\xe8\xff"), 1007),
    "a clean close": (client_frame(8, (1000).to_bytes(2, "big")), 1000),
    "a close without code": (client_frame(8), 1000),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_breaks_a_rule_is_closed_with_its_code(web: Running, name: str) -> None:
    data, code = BROKEN[name]
    reader, writer = await web.upgraded()
    writer.write(data)
    assert await close_code(reader) == code
    await eventually(lambda: not web.chat.sessions)
    writer.close()


async def test_the_code_arrives_although_more_was_sent(web: Running) -> None:
    reader, writer = await web.upgraded()
    writer.write(client_frame(1, b"x" * 1_000_000))
    assert await close_code(reader) == 1009
    writer.close()


async def test_a_message_of_64_kib_is_taken(web: Running) -> None:
    _, writer = await web.upgraded()
    writer.write(client_frame(1, b"x" * MESSAGE_LIMIT))
    await eventually(lambda: [len(text) for text in web.chat.heard] == [MESSAGE_LIMIT])
    writer.close()


Given = list[tuple[int, bytes]]


def given(frames: StrictFrames, *pieces: bytes) -> Given:
    """The frames that come out of these pieces; each comes a second after the one before."""
    found: Given = []
    for now, piece in enumerate(pieces, 1):
        frames.feed(piece, float(now))
        while (frame := frames.next()) is not None:
            found.append(frame)
    return found


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


STREAM = (
    client_frame(1, b"one")
    + client_frame(1, b"t", fin=0)
    + client_frame(10, b"pong")
    + client_frame(0, b"wo")
    + client_frame(1, b"x" * 300)
    + client_frame(1, b"y" * 40000)
)


MASK = b"\1\2\3\4"
MASKED = client_frame(1, b"lcpodf", mask=MASK)
"""The word `masked`."""
TEXTS: Given = [
    (TEXT, b"one"), (CONTINUATION, b""), (PONG, b"pong"), (TEXT, b"two"), (TEXT, b"x" * 300), (TEXT, b"y" * 40000),
    (TEXT, b"masked"),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 13, 64, 1000, 100_000])
def test_frames_in_any_pieces_are_the_same_frames(size: int) -> None:
    frames = StrictFrames()
    assert given(frames, *in_pieces(STREAM + MASKED, size)) == TEXTS
    assert (frames.broken, frames.pongs, frames.frames, frames.left, frames.began) == (None, 1, 7, 0, None)


SEEN_IN_TEXT = {"bad UTF-8", "surrogate in UTF-8"}


@pytest.mark.parametrize(
    "name", [name for name, (_, code) in BROKEN.items() if code != 1000 and name not in SEEN_IN_TEXT]
)
def test_a_broken_rule_is_seen_byte_by_byte_too(name: str) -> None:
    data, code = BROKEN[name]
    frames = StrictFrames()
    assert given(frames, *in_pieces(data, 1))[-1] == (CLOSE, b"")
    assert frames.broken is not None and frames.broken.code == code


def test_nothing_is_given_after_a_broken_rule() -> None:
    frames = StrictFrames()
    assert given(frames, b"\x81\x02hi", client_frame(1, b"x")) == [(CLOSE, b"")]
    assert (frames.over, frames.left) == (True, 0)


def test_what_came_before_a_broken_rule_is_given_and_then_a_close() -> None:
    frames = StrictFrames()
    assert given(frames, STREAM + b"\x81\x02hi") == [*TEXTS[:-1], (CLOSE, b"")]


def test_nothing_is_given_after_the_peers_close() -> None:
    frames = StrictFrames()
    close = client_frame(8, b"\x03\xe8bye", mask=b"\0\0\0\0")
    assert given(frames, close + client_frame(1, b"x"), b"\x81\x02hi") == [(CLOSE, b"\x03\xe8")]
    assert (frames.broken, frames.began, frames.left) == (None, None, 0)


def test_a_frame_too_large_is_refused_by_its_header() -> None:
    frames = StrictFrames()
    assert given(frames, client_frame(1, b"x" * (MESSAGE_LIMIT + 1))[:10]) == [(CLOSE, b"")]
    assert frames.broken is CloseReason.TOO_BIG


def test_a_frame_begins_when_its_first_byte_comes() -> None:
    frames = StrictFrames()
    given(frames, client_frame(1, b"a") + b"\x81")
    assert frames.began == 1.0
    frames.feed(client_frame(1, b"b")[1:-1], 2.0)
    assert (frames.next(), frames.began) == (None, 1.0)
    frames.feed(b"b" + b"\x81", 3.0)
    assert (frames.next(), frames.next(), frames.began) == ((TEXT, b"b"), None, 3.0)
