"""How messages are written in Redis, and what is made of what cannot be read."""

import msgspec
import pytest

from gateway.core.protocol.message import Message, PasteSize
from gateway.redis.entries import item_of, message_of, payload_of, person_of, receipt_of, unwritten_epoch


def said(text: str = "hi", **fields: object) -> Message:
    return Message("lobby", 1_790_000_000_123, "ana", "web", "say", text, seq=7, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "message",
    [
        said(),
        said('zero \0 quote " \\ emoji \U0001f600\nline'),
        said(identity="ab12"),
        said(paste=PasteSize(9000, 40)),
    ],
)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert message_of("lobby", (7, b"1790000000123", b"n", payload_of(message))) == message


GARBAGE = {
    "no entry": (7,),
    "no fields of ours": (7, b"", b"", b""),
    "no JSON": (7, b"1790000000123", b"n", b"hello"),
    "another list": (7, b"1790000000123", b"n", b'["ana"]'),
    "no time": (7, b"yesterday", b"n", payload_of(said())),
    "no removal": (7, b"", b"", b'{"ts":1}'),
}


@pytest.mark.parametrize("item", GARBAGE.values(), ids=GARBAGE)
def test_what_cannot_be_read_is_like_a_message_that_was_removed(item: tuple[object, ...]) -> None:
    message = message_of("lobby", item)
    assert (message.seq, message.text, bool(message.redacted)) == (7, "", True)


def test_an_entry_is_read_like_an_item_of_a_window() -> None:
    assert item_of((b"7-0", [b"t", b"1", b"n", b"x", b"m", b"{}"])) == (7, b"1", b"x", b"{}")
    assert item_of([7, b"1", b"x", b"{}"]) == [7, b"1", b"x", b"{}"]
    assert message_of("lobby", item_of((b"7-0", [b"foo", b"bar"]))).redacted


def test_the_key_of_a_retry_is_the_senders_and_the_ids() -> None:
    assert receipt_of(said()) == ""
    assert receipt_of(said(identity="a", id="b")) == receipt_of(said("other", identity="a", id="b"))
    keys = {receipt_of(said(identity=who, id=id)) for who, id in (("a", "b"), ("b", "a"), ("ab", ""), ("a", "c"))}
    assert len(keys) == 4


def test_an_unwritten_room_has_one_epoch_on_all_nodes() -> None:
    assert unwritten_epoch("seed", "lobby") == unwritten_epoch("seed", "lobby")
    assert len({unwritten_epoch(seed, room) for seed in ("s", "t") for room in ("x", "y")}) == 4


def test_a_person_that_cannot_be_read_is_none() -> None:
    assert person_of(msgspec.json.encode({"identity": "x"})) is None
