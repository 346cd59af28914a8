"""Lines and WebSocket frames as byte runs: cut them apart, and make the few that a load generator sends.

Sans-I/O. A piece keeps its end (line feed) or its header (frame), so that the pieces of a stream, joined, are the
stream. A server's frames are unmasked and not fragmented here; a fragmented message would be counted as missing.
"""

from collections.abc import Callable

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA

Pieces = tuple[list[bytes], bytes]
Split = Callable[[bytes], Pieces]


def split_lines(stream: bytes) -> Pieces:
    """Whole lines, each with its line feed, and the rest that is not a whole line yet."""
    *lines, rest = stream.split(b"\n")
    return [line + b"\n" for line in lines], rest


def split_frames(stream: bytes) -> Pieces:
    """Whole frames, each with its header, and the rest that is not a whole frame yet."""
    frames = []
    start = 0
    while (end := _frame_end(stream, start)) is not None:
        frames.append(stream[start:end])
        start = end
    return frames, stream[start:]


def _frame_end(stream: bytes, start: int) -> int | None:
    """Where the server's frame that begins at `start` ends; None if it is not all there."""
    if len(stream) < start + 2:
        return None
    length = stream[start + 1] & 0x7F
    head = start + 2
    if length >= 126:
        head += 2 if length == 126 else 8
        length = int.from_bytes(stream[start + 2 : head], "big")
    end = head + length
    return end if len(stream) >= end else None


def payload(frame: bytes) -> bytes:
    """What a server's whole frame carries."""
    length = frame[1] & 0x7F
    return frame[2 if length < 126 else 4 if length == 126 else 10 :]


def client_frame(text: bytes, opcode: int = TEXT) -> bytes:
    """One whole frame from client to server, masked with four zero bytes.

    That is a valid mask (RFC 6455 asks for an unpredictable one to protect proxies from scripts in pages, which this
    program is not), and it leaves the payload as it is.
    """
    length = len(text)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 1 << 16:
        head = bytes((0x80 | opcode, 0xFE)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + length.to_bytes(8, "big")
    return head + bytes(4) + text
