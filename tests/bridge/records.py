"""The history checker: what the peers of a gateway recorded, held against what its rooms hold in the end.

Every peer writes rows while it talks: `sent` before a message leaves, `acked` when the gateway says it is stored,
`shown` when the message comes, `gap` when the gateway says what did not come. A message's text is its token,
`sender:counter:random`, so it is known everywhere. An outcome is unknown when the connection was cut before the ack.

What must hold, whatever was killed in between:

1. nothing is shown that was not sent
2. (epoch, seq) names one token for all observers and for the final history
3. the numbers an observer sees grow; inside its range none is missing, except where a gap covers it
4. every acknowledged and every shown token is in the final history, under that number
5. every token is in the final history at most once
6. one sender's tokens stand in the final history in the order in which they were sent
7. in each epoch the final history has every number from the first held on, without holes
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """What one peer did or saw. `seq` 0: unknown (terminals are not told); of a gap: its first, `to` its last."""

    peer: str
    door: str
    operation: str
    token: str
    epoch: str = ""
    seq: int = 0
    to: int = 0


@dataclass(slots=True)
class Records:
    """The rows of all peers, in the order in which they were written; safe to write from threads."""

    rows: list[Row] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, row: Row) -> None:
        """Write a row."""
        with self._lock:
            self.rows.append(row)

    def of(self, operation: str) -> list[Row]:
        """The rows of one operation."""
        return [row for row in self.rows if row.operation == operation]


@dataclass(frozen=True, slots=True)
class Held:
    """A message of the final history."""

    epoch: str
    seq: int
    token: str


def violations(rows: Sequence[Row], final: Sequence[Held]) -> list[str]:
    """Every rule that was broken, in words; empty when all hold. `final` is one room's history, oldest first."""
    return [*unsent(rows, final), *ambiguous(rows, final), *misread(rows), *lost(rows, final), *misplaced(rows, final)]


def unsent(rows: Sequence[Row], final: Sequence[Held]) -> Iterable[str]:
    """Rule 1."""
    sent = {row.token for row in rows if row.operation == "sent"}
    for row in rows:
        if row.operation in ("shown", "acked") and row.token not in sent:
            yield f"{row.peer} was shown {row.token}, which nobody sent"
    for held in final:
        if held.token not in sent:
            yield f"the history holds {held.token}, which nobody sent"


def ambiguous(rows: Sequence[Row], final: Sequence[Held]) -> Iterable[str]:
    """Rule 2."""
    names: dict[tuple[str, int], set[str]] = defaultdict(set)
    for held in final:
        names[held.epoch, held.seq].add(held.token)
    for row in rows:
        if row.seq and row.operation in ("shown", "acked"):
            names[row.epoch, row.seq].add(row.token)
    for (epoch, seq), tokens in names.items():
        if len(tokens) > 1:
            yield f"{epoch}:{seq} names {' and '.join(sorted(tokens))}"


def misread(rows: Sequence[Row]) -> Iterable[str]:
    """Rule 3."""
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        if not row.seq or row.operation not in ("shown", "gap"):
            continue
        before = last.get((row.peer, row.epoch), row.seq - 1)
        if row.seq <= before:
            yield f"{row.peer} was shown {row.epoch}:{row.seq} after {before}"
        elif row.seq > before + 1:
            yield f"{row.peer} missed {row.epoch}:{before + 1} to {row.seq - 1} and was not told"
        last[row.peer, row.epoch] = max(row.to, row.seq)


def lost(rows: Sequence[Row], final: Sequence[Held]) -> Iterable[str]:
    """Rules 4 and 5."""
    places: dict[str, list[Held]] = defaultdict(list)
    for held in final:
        places[held.token].append(held)
    for token, found in places.items():
        if len(found) > 1:
            yield f"{token} is there {len(found)} times"
    for row in rows:
        if row.operation not in ("shown", "acked"):
            continue
        if row.token not in places:
            yield f"{row.token} was {row.operation} to {row.peer} and is lost"
        elif row.seq and (row.epoch, row.seq) not in {(held.epoch, held.seq) for held in places[row.token]}:
            yield f"{row.token} was {row.operation} to {row.peer} as {row.epoch}:{row.seq} and is elsewhere"


def misplaced(rows: Sequence[Row], final: Sequence[Held]) -> Iterable[str]:
    """Rules 6 and 7."""
    order = {row.token: place for place, row in enumerate(rows) if row.operation == "sent"}
    sender_of = {row.token: row.peer for row in rows if row.operation == "sent"}
    latest: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for held in final:
        sender = sender_of.get(held.token, "")
        if sender in latest and order[held.token] < order[latest[sender]]:
            yield f"{held.token} of {sender} stands behind {latest[sender]}, which was sent later"
        if sender:
            latest[sender] = held.token
        before = numbers.get(held.epoch, held.seq - 1)
        if held.seq != before + 1:
            yield f"the history goes from {held.epoch}:{before} to {held.seq}"
        numbers[held.epoch] = held.seq
