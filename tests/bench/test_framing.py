from gateway.bench.delivery_check import PING, client_frame, payload, split_frames, split_lines


def server_frame(text: bytes) -> bytes:
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    return (b"\x81\x7e" + length.to_bytes(2) if length < 1 << 16 else b"\x81\x7f" + length.to_bytes(8)) + text


def test_lines_keep_their_ends_and_leave_the_rest() -> None:
    assert split_lines(b"a\r\n\nb\nc") == ([b"a\r\n", b"\n", b"b\n"], b"c")


def test_frames_of_every_length_form_are_cut_at_every_byte() -> None:
    frames = [server_frame(b"x" * size) for size in (0, 1, 125, 126, 300)]
    stream = b"".join(frames)
    for cut in range(len(stream)):
        first, rest = split_frames(stream[:cut])
        second, none = split_frames(rest + stream[cut:])
        assert first + second == frames
        assert none == b""


def test_a_long_frame_has_an_eight_byte_length() -> None:
    frame = server_frame(b"y" * 70_000)
    assert split_frames(frame) == ([frame], b"")
    assert payload(frame) == b"y" * 70_000


def test_payloads_come_without_their_headers() -> None:
    assert [payload(server_frame(b"z" * size)) for size in (3, 200)] == [b"zzz", b"z" * 200]


def test_a_clients_frame_is_masked_with_zeros() -> None:
    assert client_frame(b"hi", PING) == b"\x89\x82\0\0\0\0hi"
    assert client_frame(b"m" * 126)[:4] == b"\x81\xfe\x00\x7e"
    assert client_frame(b"m" * 65536)[:10] == b"\x81\xff" + (65536).to_bytes(8, "big")
