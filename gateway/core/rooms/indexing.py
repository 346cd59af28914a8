"""Full-text search: asking the index, and keeping it in step with the journal. (What a query means is in
`core.doors.search`, who may ask how often in `core.sessions.rate_limit`.)

The index is a copy (`ports.Index`) that is fed from here:

1. A committed batch is kept (one list operation for each batch, nothing for each message) and handed over before every
   search: what was acknowledged before a search is found by it. Without a search it is handed over FLUSH_SECONDS later,
   but while messages pour in (RUSH) not before KEPT are there: indexing 20,000 takes a fifth of a second on the index's
   thread, which delays the next search by no more, and until then the processor is the readers'.
2. The index takes only what follows the number it holds, and answers which rooms have a hole. What is missing (after
   a start, a kill, an index that was lost) is read from the journal, PAGE_MESSAGES at a time with a pause in between:
   1 ms of the loop for each page, a million messages in about a minute.
3. Of more than MOST_KEPT messages on the way, the kept ones are dropped and read from the journal later.

4. Of a journal that nodes share, only what this node reads is handed over as it comes. Before a search, up to a page of
   what the rooms that are asked lack is read first; if they lack more, the search says that it is not complete.
5. Of pastes the index is given all, though a message holds only the beginning (`core.rooms.pastes.WholePastes`).

What is removed or expires is hidden here at once, and deleted there soon.

The journal also numbers its removals, so that an index that was away follows them later.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.index import Found, Index, NoIndex, SearchQuery
from gateway.core.ports.journal import Journal, Page, Removal, RoomRecord
from gateway.core.protocol.events import storage_refusal
from gateway.core.protocol.message import Message
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.history import HistoryReader, Past, Range
from gateway.core.rooms.pastes import WholePastes
from gateway.core.rooms.registry import LOBBY
from gateway.core.sessions.rate_limit import SearchTurns
from gateway.errors import Code, JournalError, LostTail, Refusal, StoreCloses

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
RUSH = 500
"""Messages in FLUSH_SECONDS."""
KEPT = 20_000
PAGE_MESSAGES = 300
PAGE_PAUSE = 0.01
MOST_KEPT = 60_000
RETRY_SECONDS = 10.0
SWEEP_SECONDS = 5.0
"""How long expired numbers are gathered before the index is told."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Messages, newest first, of `room` in its epoch (the first of the rooms that were asked). `more`: there are older
    ones, in a single room those below the number `last`. `complete`: the index has everything of all rooms."""

    room: str
    epoch: str
    messages: list[Message]
    more: bool
    last: int
    complete: bool


class Search:
    """Feeds the index and asks it."""

    def __init__(
        self,
        journal: Journal,
        index: Index | None,
        history: HistoryReader,
        rooms: Mapping[str, Room],
        clock: Clock,
        shared: bool = False,
    ) -> None:
        self._journal = journal
        self._index = WholePastes(journal, index or NoIndex())
        self._history = history
        self._rooms = rooms
        self._clock = clock
        self._turns = SearchTurns(clock.now)
        self._kept: list[Message] = []
        """Committed, and not handed to the index yet."""
        self._looking = False
        self._seen = 0
        """How many were kept at the last look."""
        self._on_the_way = 0
        """Messages handed over that are not answered yet."""
        self._dropped = False
        self._behind: dict[str, int] = {}
        """Rooms of which the index lacks what came after a number."""
        self._catching_up: str | None = None
        self._comparing = False
        self._compared = False
        self._gone: list[Removal] = []
        """Removed messages that the index may still have; while `_removing` it forgets the first of them."""
        self._removing = False
        self._firsts: dict[str, int] = {}
        """Expired numbers that the index has not been told."""
        self._troubled = False
        self._following = index is not None
        self._heads: dict[str, int] | None = {} if shared and index is not None else None
        """Where other nodes share the journal: the last number of each room that the index has got or will get."""

    def start(self) -> None:
        """Bring the index up to the journal, and follow it from now on."""
        if self._following:
            self._journal.lost_tail().then(self._lost)
            self._compare()

    def close(self) -> None:
        """Hand over what is kept, and close the index."""
        self._flush()
        self._index.close()

    def committed(self, batch: list[Message]) -> None:
        """A batch is in the journal."""
        if not self._following:
            return
        self._kept += batch
        if not self._looking:
            self._looking, self._seen = True, 0
            self._clock.later(FLUSH_SECONDS, self._look)
        if len(self._kept) + self._on_the_way > MOST_KEPT:
            self._kept, self._dropped = [], True
        elif len(self._kept) >= KEPT:
            self._flush()

    def arrived(self, room: str, messages: list[Message]) -> None:
        """These messages of a room, the next ones, have come from a journal that other nodes share."""
        if self._heads is not None:
            self._heads[room] = messages[-1].seq
        self.committed(messages)

    def look_again(self) -> None:
        """Removals may have been missed: follow the journal's afresh."""
        if self._following:
            self._index.removals().then(self._follow_removals)

    def find(self, query: SearchQuery, address: str | None, epoch: str | None = None) -> Answer[SearchResult | Refusal]:
        """Look for messages; `address` is whom the search is charged to. The rooms must exist; `epoch`, if given, must
        be that of the first. Raises Refusal."""
        began = self._turns.start(address)

        def ask(past: Past | Refusal) -> Answer[SearchResult | Refusal]:
            if isinstance(past, Refusal):
                return Answer.of(past)
            if epoch is not None and epoch != past.epoch:
                return Answer.of(Refusal(Code.EPOCH_CHANGED, wording.EPOCH_CHANGED))
            self._flush()
            return self._index.find(query).map(lambda found: self._result(past, found))

        def finish(result: SearchResult | Refusal) -> SearchResult | Refusal:
            self._turns.finish(address, began)
            return result

        return self._first_of(query.rooms).chain(ask).map(finish)

    def removed(self, removal: Removal) -> None:
        """A message was removed from the journal: it is not found from now on, and soon no word of it is in a file of
        the index. Those that come while one is removed go together: the index rebuilds a part for each call."""
        self._gone.append(removal)
        if not self._removing:
            self._remove()

    def _remove(self) -> None:
        self._flush()
        removals = list(self._gone)
        self._removing = True

        def done(failure: JournalError | None) -> None:
            del self._gone[: len(removals)]
            self._removing = False
            if failure is not None:
                self._retry(failure)
            if self._gone:
                self._remove()

        self._index.remove([(each.room, each.seq) for each in removals], removals[-1].number).then(done)

    def expired(self, firsts: Mapping[str, int]) -> None:
        """Retention has deleted what was below these numbers."""
        if firsts and not self._firsts and self._following:
            self._clock.later(SWEEP_SECONDS, self._forget)
        self._firsts.update(firsts)

    def _first_of(self, rooms: Sequence[str]) -> Answer[Past | Refusal]:
        """The end of the first room, if all of them exist."""

        def rest(past: Past | Refusal) -> Answer[Past | Refusal]:
            if isinstance(past, Refusal) or len(rooms) == 1:
                return Answer.of(past)
            return self._first_of(rooms[1:]).map(lambda others: others if isinstance(others, Refusal) else past)

        return self._history.read(rooms[0], Range(limit=1)).chain(self._catch_up).chain(rest)

    def _catch_up(self, past: Past | Refusal) -> Answer[Past | Refusal]:
        """Hand over what other nodes have put into the room and this one has not read."""
        if isinstance(past, Refusal) or self._heads is None:
            return Answer.of(past)
        heads, after = self._heads, self._heads.get(past.room, 0)
        if after >= past.head:
            return Answer.of(past)

        def add(page: Page | JournalError) -> Past:
            if isinstance(page, JournalError):
                self._retry(page)
                return past
            heads[past.room] = past.head
            self._index.add(page.messages, after).then(self._note)
            if page.more:
                self._behind.setdefault(past.room, page.messages[-1].seq)
                self._read_next()
            return past

        return self._journal.read(past.room, after=after, before=None, limit=PAGE_MESSAGES).map(add)

    def _result(self, past: Past, found: Found | Refusal | JournalError) -> SearchResult | Refusal:
        if isinstance(found, JournalError):
            self._retry(found)
            return storage_refusal(found)
        if isinstance(found, Refusal):
            return found
        shown = [each for each in found.messages if self._still_there(each)]
        last = found.messages[-1].seq if found.messages else 0
        return SearchResult(past.room, past.epoch, shown, found.more, last, self._complete)

    @property
    def _complete(self) -> bool:
        missing = self._behind or self._catching_up is not None or self._dropped
        return self._compared and not missing

    def _still_there(self, message: Message) -> bool:
        room = self._rooms.get(message.room)
        first = max(self._firsts.get(message.room, 0), room.first if room is not None else 0)
        gone = any(each.seq == message.seq and each.room == message.room for each in self._gone)
        return message.seq >= first and not gone

    # Following the journal

    def _look(self) -> None:
        if len(self._kept) - self._seen < RUSH:
            self._flush()
        self._looking = bool(self._kept)
        if self._looking:
            self._seen = len(self._kept)
            self._clock.later(FLUSH_SECONDS, self._look)

    def _flush(self) -> None:
        if self._kept:
            batch, self._kept = self._kept, []
            self._on_the_way += len(batch)
            self._index.add(batch).then(lambda answer: self._added(len(batch), answer))

    def _added(self, count: int, answer: Mapping[str, int] | JournalError) -> None:
        self._on_the_way -= count
        if self._dropped and not self._on_the_way:
            self._dropped = False
            self._compare()
        self._note(answer)

    def _note(self, answer: Mapping[str, int] | JournalError) -> None:
        if isinstance(answer, JournalError):
            self._retry(answer)
            return
        self._troubled = False
        for room, after in answer.items():
            if room != self._catching_up:  # the pages that come will hold it
                self._behind.setdefault(room, after)
        self._read_next()

    def _retry(self, failure: JournalError) -> None:
        if isinstance(failure, StoreCloses):
            return
        if not self._troubled:
            log.warning(wording.LOG_SEARCH, failure)
        self._troubled = True
        if not self._comparing:
            self._comparing = True
            self._clock.later(RETRY_SECONDS, self._compare_again)

    def _compare_again(self) -> None:
        self._comparing = False
        self._compare()

    def _lost(self, loss: LostTail) -> None:
        self._journal.lost_tail().then(self._lost)
        self._compare()

    def _compare(self) -> None:
        def compare(records: list[RoomRecord] | JournalError, witness: str) -> None:
            if isinstance(records, JournalError):
                self._retry(records)
                return
            if self._heads is not None:
                self._heads = {record.room: record.head for record in records}
            behind = self._index.compare(witness, records)
            self._index.removals().then(self._follow_removals)
            behind.then(self._set_compared)

        def ask(lobby: RoomRecord | JournalError) -> None:
            if isinstance(lobby, JournalError):
                self._retry(lobby)
            else:
                self._journal.rooms().then(lambda records: compare(records, lobby.epoch))

        self._journal.open(LOBBY, 0).then(ask)

    def _set_compared(self, behind: Mapping[str, int] | JournalError) -> None:
        self._compared = not isinstance(behind, JournalError)
        self._note(behind)

    def _follow_removals(self, number: int | JournalError) -> None:
        """Bring the index up to the journal's removals, from that number on."""

        def remove(removals: list[Removal] | JournalError) -> None:
            if isinstance(removals, JournalError):
                self._retry(removals)
            elif removals:
                last = removals[-1].number
                removed = self._index.remove([(each.room, each.seq) for each in removals], last)
                removed.then(lambda failure: self._follow_removals(last if failure is None else failure))

        if isinstance(number, JournalError):
            self._retry(number)
        else:
            self._journal.removals(number, PAGE_MESSAGES).then(remove)

    def _read_next(self) -> None:
        if self._catching_up is not None or not self._behind:
            return
        room, after = self._behind.popitem()
        self._catching_up = room
        self._read(room, after)

    def _read(self, room: str, after: int) -> None:
        def add(page: Page | JournalError) -> None:
            if isinstance(page, JournalError) or not page.messages:
                self._caught_up(page if isinstance(page, JournalError) else {})
                return
            last = page.messages[-1].seq
            added = self._index.add(page.messages, after)
            added.then(lambda answer: go_on(answer, last) if page.more else self._caught_up(answer))

        def go_on(answer: Mapping[str, int] | JournalError, last: int) -> None:
            if isinstance(answer, JournalError):
                self._caught_up(answer)
            else:
                self._clock.later(PAGE_PAUSE, lambda: self._read(room, last))

        self._journal.read(room, after=after, before=None, limit=PAGE_MESSAGES).then(add)

    def _caught_up(self, answer: Mapping[str, int] | JournalError) -> None:
        self._catching_up = None
        self._note(answer)

    def _forget(self) -> None:
        firsts, self._firsts = self._firsts, {}

        def told(failure: JournalError | None) -> None:
            if failure is not None:
                self._retry(failure)

        self._index.forget(firsts).then(told)
