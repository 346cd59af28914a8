"""Pastes: texts over the length of a message, up to `limits.paste_bytes`.

A paste is a message whose text is only its beginning (`shortened`); the whole goes to the journal with it and is read
back from there, by whoever asks for it and for the index (`WholePastes`). It counts against the rate as one message per
TEXT_BYTES begun, so that it buys nobody more bytes.

A terminal writes one line by line, after /paste and until a line that is only a dot (or its half-close). So that every
line can be pasted, one of an even number of dots stands for half as many: `..` for `.`, `....` for `..`; `...`, which
texts often hold, stands for itself. What is not
complete yet, of terminals and in the bodies of POSTs, is bounded for all together by HALF_TYPED_BYTES: what comes when
that is used up is refused, and the rest of that paste is skipped, so that none of it is taken for messages. Raw bytes
may be RAW_FACTOR times as many as the text that the gate leaves of them: logs with colours are pasted, too.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway import wording
from gateway.core import sanitize
from gateway.core.answer import Answer
from gateway.core.ports.index import Found, Index, SearchQuery
from gateway.core.ports.journal import Journal, RoomRecord
from gateway.core.protocol.message import Message, PasteSize
from gateway.core.sessions.session import Session
from gateway.errors import Code, JournalError, Refusal

PREVIEW_LINES = 8
PREVIEW_BYTES = 1000
HALF_TYPED_BYTES = 64 << 20
RAW_FACTOR = 4
END = b"."
FOLLOWS = "."
"""What a line editor writes behind /paste: the lines follow at once, and nobody need be told how to end them."""
READ_AT_ONCE = 32
"""Pastes that are read for the index before it has taken those before."""


def escaped(line: str) -> str:
    """What a terminal writes for that line of a paste."""
    return line * 2 if line == "." or _halves(line) else line


def unescaped(line: bytes) -> bytes:
    """The line of a paste that a terminal wrote so."""
    return line[: len(line) // 2] if _halves(line) else line


def _halves(line: str | bytes) -> bool:
    dot = "." if isinstance(line, str) else b"."
    return len(line) > 0 and len(line) % 2 == 0 and line == dot * len(line)


def shortened(text: str) -> tuple[str, PasteSize | None]:
    """What a message shows of a gated text, and the size of the whole if that is not all of it."""
    if len(text) * 4 <= sanitize.TEXT_BYTES or (size := len(text.encode())) <= sanitize.TEXT_BYTES:
        return text, None
    beginning = "\n".join(text.split("\n", PREVIEW_LINES)[:PREVIEW_LINES])
    cut = beginning.encode()[:PREVIEW_BYTES].decode("utf-8", "ignore")
    if sanitize.is_blank(cut):
        cut = wording.PASTE_BLANK
    return cut, PasteSize(size, text.count("\n") + 1)


def messages_in(size: int) -> int:
    """The number of messages that a text of so many bytes counts for."""
    return max(1, -(-size // sanitize.TEXT_BYTES))


class PasteDraft:
    """A terminal's paste that is not complete. `refusal`: why nothing will come of it."""

    __slots__ = ("counted", "in_line", "raw", "refusal", "seen")

    def __init__(self) -> None:
        self.raw = bytearray()
        self.seen = 0
        self.counted = 1
        self.in_line = False
        """Whether the beginning of a long line has come, and its rest has not."""
        self.refusal: Refusal | None = None


class Pastes:
    """The incomplete pastes. `paste_bytes` returns the limit of a whole one now."""

    def __init__(self, paste_bytes: Callable[[], int], top: int = HALF_TYPED_BYTES) -> None:
        self._paste_bytes = paste_bytes
        self._top = top
        self.used = 0
        """Bytes that incomplete pastes hold."""
        self.drafts: dict[Session, PasteDraft] = {}

    @property
    def raw_limit(self) -> int:
        """Bytes that one paste may have before the gate."""
        return RAW_FACTOR * self._paste_bytes()

    def reserve(self, size: int) -> None:
        """Count so many bytes more of an incomplete paste. Raises Refusal (busy)."""
        if self.used + size > self._top:
            raise Refusal(Code.BUSY, wording.PASTES_FULL, retry_ms=5000)
        self.used += size

    def release(self, size: int) -> None:
        """Return bytes to the common bound."""
        self.used -= size

    def begin(self, session: Session) -> None:
        """What the terminal sends from now on is a paste. Raises Refusal."""
        if not session.terminal:
            raise Refusal(Code.BAD_MESSAGE, wording.PASTE_PAGE)
        self.drafts[session] = PasteDraft()

    def add(self, session: Session, line: bytes, ends: bool = True) -> int | None:
        """Take one line, or a piece that does not end its line; return how many messages more the paste counts for,
        None at its end."""
        draft = self.drafts[session]
        if not draft.in_line:
            if line == END:
                return None
            line = unescaped(line)
        draft.in_line = not ends
        line += b"\n" * ends
        draft.seen += len(line)
        if draft.refusal is None:
            try:
                if len(draft.raw) + len(line) > self.raw_limit:
                    raise self._too_long(draft.seen)
                self.reserve(len(line))
                draft.raw += line
            except Refusal as refusal:
                self.refuse(session, refusal)
        counted, draft.counted = draft.counted, messages_in(draft.seen)
        return draft.counted - counted

    def refuse(self, session: Session, refusal: Refusal) -> None:
        """Nothing will come of the session's paste; the rest of it is skipped."""
        draft = self.drafts[session]
        self.release(len(draft.raw))
        draft.raw.clear()
        draft.refusal = draft.refusal or refusal

    def end(self, session: Session) -> str:
        """The paste is complete: its text after the gate. Raises Refusal."""
        draft = self.drafts.pop(session)
        self.release(len(draft.raw))
        if draft.refusal is not None:
            raise draft.refusal
        return sanitize.lines(sanitize.decode(bytes(draft.raw)), self._paste_bytes())

    def forget(self, session: Session) -> None:
        """The session is over, and its paste with it."""
        draft = self.drafts.pop(session, None)
        if draft is not None:
            self.release(len(draft.raw))

    def _too_long(self, size: int) -> Refusal:
        return Refusal(Code.TOO_LONG, wording.TOO_LONG.format(size=size, limit=self._paste_bytes()))


Behind = Answer[Mapping[str, int] | JournalError]


class WholePastes:
    """An `Index` that is given pastes whole: they are read from the journal, READ_AT_ONCE of them at a time.

    What is asked meanwhile waits, so that the index below gets everything in the order of the calls: a search that
    comes after a paste finds it, and a removal that comes after it removes it. Of a paste that the journal does not
    hold whole any more (PASTES_KEPT) there is the beginning.
    """

    def __init__(self, journal: Journal, index: Index) -> None:
        self._journal = journal
        self._index = index
        self._fed: Answer[None] = Answer.of(None)
        """Comes when the index has been given the pastes that are being read."""

    def compare(self, witness: str, records: Sequence[RoomRecord]) -> Behind:
        """As `Index.compare`."""
        return self._fed.chain(lambda _: self._index.compare(witness, records))

    def add(self, batch: Sequence[Message], after: int | None = None) -> Behind:
        """As `Index.add`, of pastes without their `whole`."""
        places = [at for at, message in enumerate(batch) if message.paste is not None]
        if not places:
            return self._fed.chain(lambda _: self._index.add(batch, after))
        added = self._fed.chain(lambda _: self._add(batch, places, after))
        self._fed = added.map(lambda _: None)
        return added

    def find(self, query: SearchQuery) -> Answer[Found | Refusal | JournalError]:
        """As `Index.find`."""
        return self._fed.chain(lambda _: self._index.find(query))

    def removals(self) -> Answer[int | JournalError]:
        """As `Index.removals`."""
        return self._fed.chain(lambda _: self._index.removals())

    def remove(self, places: Sequence[tuple[str, int]], number: int) -> Answer[JournalError | None]:
        """As `Index.remove`."""
        return self._fed.chain(lambda _: self._index.remove(places, number))

    def forget(self, firsts: Mapping[str, int]) -> Answer[JournalError | None]:
        """As `Index.forget`."""
        return self._fed.chain(lambda _: self._index.forget(firsts))

    def close(self) -> None:
        """As `Index.close`; what is still being read is found to be missing at the next start."""
        self._index.close()

    def _add(self, batch: Sequence[Message], places: Sequence[int], after: int | None) -> Behind:
        """Add a batch whose pastes stand at these places."""
        now, later = places[:READ_AT_ONCE], places[READ_AT_ONCE:]
        end = later[0] if later else len(batch)
        some = list(batch[:end])

        def read(number: int) -> Behind:
            if number == len(now):
                return self._index.add(some, after)
            paste = some[now[number]]
            return self._journal.paste(paste.room, paste.seq).chain(lambda whole: keep(number, whole))

        def keep(number: int, whole: str | JournalError | None) -> Behind:
            if isinstance(whole, JournalError):
                return Answer.of(whole)
            some[now[number]] = msgspec.structs.replace(some[now[number]], whole=whole or "")
            return read(number + 1)

        def go_on(behind: Mapping[str, int] | JournalError) -> Behind:
            if isinstance(behind, JournalError):
                return Answer.of(behind)
            rest = self._add(batch[end:], [at - end for at in later], None)
            return rest.map(lambda more: more if isinstance(more, JournalError) else {**more, **behind})

        added = read(0)
        return added.chain(go_on) if later else added
