"""Was everything delivered, to everybody, once, and in one order?

The order that most readers saw is the reference. Every reader is held against what was published (nothing missing,
nothing twice) and against that order (nothing early or late).
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from gateway.bench.texts import key_of, number_of, writer_of

NAMED = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one reader's messages: how many, and the first of the missing as `writer/number`."""

    missing: int = 0
    repeated: int = 0
    reordered: int = 0
    first_missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.repeated or self.reordered)

    def __str__(self) -> str:
        words = [
            f"{getattr(self, kind)} {kind}" for kind in ("missing", "repeated", "reordered") if getattr(self, kind)
        ]
        named = f" (first missing: {', '.join(self.first_missing)})" if self.first_missing else ""
        return ", ".join(words) + named


def reference(hearings: Iterable[bytes]) -> "array[int]":
    """The order that most readers saw. `hearings`: each reader's keys as the bytes of an array of 64-bit integers."""
    keys = array("Q")
    common = Counter(hearings).most_common(1)
    keys.frombytes(common[0][0] if common else b"")
    return keys


class Judge:
    """Holds readers against `published` (messages per writer) and the reference order.

    Readers who heard the same are judged once.
    """

    def __init__(self, published: Sequence[int], order: "array[int]") -> None:
        self._published = published
        self._position = {key: place for place, key in enumerate(order)}
        self._known: dict[bytes, Fault] = {}

    def judge(self, hearing: bytes) -> Fault:
        """One reader: its keys as the bytes of an array of 64-bit integers."""
        if hearing not in self._known:
            keys = array("Q")
            keys.frombytes(hearing)
            self._known[hearing] = self._judge(keys)
        return self._known[hearing]

    def _judge(self, keys: "array[int]") -> Fault:
        once = dict.fromkeys(keys)
        missing = sum(self._published) - len(once)
        return Fault(
            missing=missing,
            repeated=len(keys) - len(once),
            reordered=self._late(once),
            first_missing=tuple(islice(self._missing(once), NAMED)) if missing else (),
        )

    def _missing(self, once: dict[int, None]) -> Iterable[str]:
        for writer, count in enumerate(self._published):
            yield from (f"{writer}/{number}" for number in range(count) if key_of(writer, number) not in once)

    def _late(self, once: dict[int, None]) -> int:
        """Messages that came after one which they should have preceded: in the reference, or by their own writer."""
        late = furthest = 0
        newest: dict[int, int] = {}
        for key in once:
            place = self._position.get(key, furthest)
            writer, number = writer_of(key), number_of(key)
            late += place < furthest or number < newest.get(writer, 0)
            furthest = max(furthest, place)
            newest[writer] = max(number, newest.get(writer, 0))
        return late
