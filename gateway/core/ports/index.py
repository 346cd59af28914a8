"""The index's port: a full-text copy of the journal, and what is asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.ports.journal import RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import Code, JournalError, Refusal


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is looked for: messages in one of `rooms` that have all `words` and were said by one of `nicks` (empty =
    anybody), from `since` on and before `before` (ms since 1970), with a number below `below`. A word that has several
    parts (`foo-bar`) is looked for as a phrase."""

    rooms: tuple[str, ...]
    words: tuple[str, ...]
    nicks: tuple[str, ...] = ()
    since: int | None = None
    before: int | None = None
    below: int | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, newest first. `more`: there are older ones."""

    messages: Sequence[Message]
    more: bool


class Index(Protocol):
    """A full-text index beside the journal: a copy that may lag, and may be lost without harm.

    It is fed from the journal, by room in the order of the numbers. Verbs are done in the order in which they were
    called, elsewhere, and are answered on the caller's thread. After a JournalError the index may be empty: `compare`
    tells what is missing.
    """

    def compare(self, witness: str, records: Sequence[RoomRecord]) -> Answer[Mapping[str, int] | JournalError]:
        """The rooms of which the index lacks the end, and the number after which it does. An index that was made from
        another journal, or an earlier state of this one, is emptied first: `witness` is the epoch of some room."""

    def add(self, batch: Sequence[Message], after: int | None = None) -> Answer[Mapping[str, int] | JournalError]:
        """Add committed messages, pastes with their `whole` as far as it is held. Those that do not follow the last one
        here are left out, and their rooms answered as by `compare`. With `after` they are all that the journal holds of
        one room next to that number."""

    def find(self, query: SearchQuery) -> Answer[Found | Refusal | JournalError]:
        """Look for messages; everything added before is found. Refused (busy) when it takes too long."""

    def removals(self) -> Answer[int | JournalError]:
        """The number of the last removal that the index has followed (see `Journal.removals`)."""

    def remove(self, places: Sequence[tuple[str, int]], number: int) -> Answer[JournalError | None]:
        """Forget the messages at these places, (room, seq): the removals up to `number`. When it is answered no word of
        them is left in any file; after a JournalError neither, because the whole index is gone."""

    def forget(self, firsts: Mapping[str, int]) -> Answer[JournalError | None]:
        """Retention has deleted all messages below these numbers: they are not found from now on, and are deleted."""

    def close(self) -> None:
        """Finish the verb in work and close the store. Nothing may be called afterwards."""


class NoIndex:
    """An `Index` that holds nothing, where nobody searches."""

    def compare(self, witness: str, records: Sequence[RoomRecord]) -> Answer[Mapping[str, int] | JournalError]:
        """As `Index.compare`: nothing is ever missing."""
        return Answer.of({})

    def add(self, batch: Sequence[Message], after: int | None = None) -> Answer[Mapping[str, int] | JournalError]:
        """As `Index.add`."""
        return Answer.of({})

    def find(self, query: SearchQuery) -> Answer[Found | Refusal | JournalError]:
        """As `Index.find`: always refused."""
        return Answer.of(Refusal(Code.STORAGE, wording.NO_INDEX))

    def removals(self) -> Answer[int | JournalError]:
        """As `Index.removals`."""
        return Answer.of(0)

    def remove(self, places: Sequence[tuple[str, int]], number: int) -> Answer[JournalError | None]:
        """As `Index.remove`."""
        return Answer.of(None)

    def forget(self, firsts: Mapping[str, int]) -> Answer[JournalError | None]:
        """As `Index.forget`."""
        return Answer.of(None)

    def close(self) -> None:
        """As `Index.close`."""
