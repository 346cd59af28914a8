"""The store as a whole: what operators do with all of it at once, and the lines of an export.

An export is JSON lines, whichever journal it comes from and goes to. Rules of the format:

1. The first line is `gateway`, the last one `end`, which tells the number of the lines before it: an export that was
   cut off is known by its missing end. Between them, in this order: `keys`, the rooms by name, each `room` followed by
   its messages by number, then `receipt`, `identity`, `ban`, `mute` and `audit`.
2. What is not there is left out, never null, but for `until` of a sanction that does not end; fields stand in the order
   of the structs below. So the same store gives the same bytes, and so does a store that was filled from them.
3. A message has its removal and its paste in its own line.
4. What was read while the gateway went on is `live`. Numbers after its end may be in use elsewhere, so whoever loads it
   gives every room a new epoch (no number of an epoch may name two messages).

`ExportLines` checks everything that a store relies on, because an export may have been edited: names, epochs, dense
numbers, texts that have passed the gate.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from gateway import wording
from gateway.core import sanitize
from gateway.core.answer import Answer
from gateway.core.protocol.message import Door, Kind
from gateway.errors import JournalError

FORMAT = 1
LINE_BYTES = 64 * 1024 * 1024
"""Of a longer line nothing is read: it is no line of an export."""
LONGEST_SHOWN = 200


class Whole(Protocol):
    """The part of a journal that is for operators. Every verb is answered as those of `ports.Journal` are."""

    def copy(self, file: str, replace: bool, going: Callable[[int, int], bool]) -> Answer[JournalError | None]:
        """Write everything that the journal holds into the file of that (absolute) name, which is complete when it is
        answered, or not there.

        1. It is done in slices, between which other verbs are done. After each `going` is called with the pages that
           are copied and those that there are, and says whether to go on.
        2. A file that is there is not touched, unless it is to be replaced, and then only when the new one is complete.
        3. A journal that is started from the file gives every room a new epoch.
        """

    def new_epoch(self, room: str) -> Answer[bool | JournalError]:
        """Give a stored room a new random epoch; its numbers go on. False: there is no such room."""


class Filled(Protocol):
    """What an empty store was filled with."""

    counts: dict[str, int]
    """Lines by their type."""
    live: bool
    """The gateway that was exported went on."""
    renewed: bool
    """Every room was given a new epoch."""


Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Moment = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""ms since 1970."""
RoomName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\Z")]
EpochName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,32}\Z")]
Places = list[tuple[RoomName, EpochName, Number]]


class ExportLine(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True, omit_defaults=True):
    """One line of an export."""


class BeginLine(ExportLine, frozen=True, tag="gateway"):
    """The first. `removals` is the number of the last removal, which may have expired."""

    format: Number
    live: bool
    removals: Number


class KeysLine(ExportLine, frozen=True, tag="keys"):
    """Secrets: `epochs` is what the epochs of unused rooms are derived from, `tokens` (hex) signs the tokens of
    browsers; absent where the export was made without it."""

    epochs: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}\Z")]
    tokens: Annotated[str, Meta(pattern=r"^(|[0-9a-f]{64})\Z")] = ""


class RoomHeadLine(ExportLine, frozen=True, tag="room"):
    """A room; `head` is the last number used in it, also when no message is held any more."""

    room: RoomName
    epoch: EpochName
    head: Number
    topic: str = ""


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The removal of a message, see `journal.Removal`."""

    number: Number
    at: Moment
    by: str
    reason: str


class WholePaste(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The paste of which a message shows the beginning; without `whole` it is not held any more."""

    bytes: Number
    lines: Number
    whole: str = ""


class MessageLine(ExportLine, frozen=True, tag="message"):
    """A message; `identity` is who said it."""

    room: RoomName
    seq: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    ts: Moment
    nick: str
    door: Door
    kind: Kind
    text: str = ""
    identity: str = ""
    removed: Taken | None = None
    paste: WholePaste | None = None


class ReceiptLine(ExportLine, frozen=True, tag="receipt"):
    """By this a message that is sent again under its id is known, see `journal.Receipt`."""

    identity: str
    id: str
    room: RoomName
    seq: Number
    ts: Moment


class IdentityLine(ExportLine, frozen=True, tag="identity"):
    """A person who may come back, see `journal.Person`."""

    identity: str
    nick: str
    rooms: Places
    seen: Moment
    codes: list[str]
    reads: Places
    account: str = ""


class SanctionLine(ExportLine, frozen=True):
    """See `ledger.Sanction`."""

    id: str
    kind: Literal["nick", "address"]
    target: str
    identity: str
    reason: str
    author: str
    created: Moment
    until: Moment | None


class BanLine(SanctionLine, frozen=True, tag="ban"):
    """A ban."""


class MuteLine(SanctionLine, frozen=True, tag="mute"):
    """A mute."""


class AuditLine(ExportLine, frozen=True, tag="audit"):
    """An entry of the audit log."""

    number: Number
    at: Moment
    who: str
    source: str
    action: str
    target: str
    reason: str
    result: str


class EndLine(ExportLine, frozen=True, tag="end"):
    """The last: so many `lines` stand before it."""

    lines: Number


AnyLine = (
    BeginLine
    | KeysLine
    | RoomHeadLine
    | MessageLine
    | ReceiptLine
    | IdentityLine
    | BanLine
    | MuteLine
    | AuditLine
    | EndLine
)
PLACES: dict[type[ExportLine], int] = {
    BeginLine: 0,
    KeysLine: 1,
    RoomHeadLine: 2,
    MessageLine: 2,
    ReceiptLine: 3,
    IdentityLine: 4,
    BanLine: 5,
    MuteLine: 6,
    AuditLine: 7,
    EndLine: 8,
}
"""The order of the lines."""

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyLine] = msgspec.json.Decoder(AnyLine)


class WrongLine(Exception):
    """Line `number` of an export is not what it has to be, for the reason in `words`."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(f"line {number}: {words}")


def written(lines: Iterable[AnyLine]) -> Iterator[bytes]:
    """The lines of an export as bytes, with the end that is missing from `lines`."""
    count = 0
    for line in lines:
        count += 1
        yield _encode(line) + b"\n"
    yield _encode(EndLine(count)) + b"\n"


class ExportLines:
    """The checked lines of an export, from `read`, which returns the next line and at most so many bytes of it, empty
    at the end. Iterating raises WrongLine; the last line given is the one before `end`."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.number = 0
        """That of the line given last."""
        self._read = read
        self._place = 0
        self._heads: dict[str, int] = {}
        self._room = RoomHeadLine("-", "-", 0)
        self._seq: int | None = None
        self._audit = 0

    def __iter__(self) -> Iterator[AnyLine]:
        while True:
            raw = self._read(LINE_BYTES)
            self.number += 1
            if not raw:
                raise self.wrong(wording.EXPORT_CUT)
            line = self._parsed(raw)
            self._check(line)
            if isinstance(line, EndLine):
                break
            yield line
        if self._read(LINE_BYTES).strip():
            self.number += 1
            raise self.wrong(wording.MORE_AFTER_END)

    def wrong(self, words: str) -> WrongLine:
        """What to raise about the line given last."""
        return WrongLine(self.number, words)

    def _parsed(self, raw: bytes) -> AnyLine:
        if self.number == 1:
            raw = raw.removeprefix(sanitize.BYTE_ORDER_MARK)
            if not raw.startswith(b"{"):
                raise self.wrong(wording.NOT_AN_EXPORT)
        if not raw.endswith(b"\n"):
            long = len(raw) == LINE_BYTES
            raise self.wrong(wording.LINE_OF_EXPORT_LONG if long else wording.LINE_OF_EXPORT_CUT)
        try:
            return _decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.wrong(sanitize.shown(str(error), LONGEST_SHOWN)) from None

    def _check(self, line: AnyLine) -> None:
        self._check_order(line)
        match line:
            case EndLine():
                self._end_room()
                if line.lines != self.number - 1:
                    raise self.wrong(wording.LINES_MISSING.format(wanted=line.lines, count=self.number - 1))
            case RoomHeadLine():
                self._end_room()
                if self._heads and line.room <= self._room.room:
                    raise self.wrong(wording.ROOM_OUT_OF_ORDER.format(room=line.room, before=self._room.room))
                self._room, self._seq = line, None
                self._heads[line.room] = line.head
                self._check_texts(line.topic)
            case MessageLine():
                self._check_message(line)
            case ReceiptLine():
                if line.seq > self._heads.get(line.room, -1):
                    raise self.wrong(wording.NOT_IN_EXPORT.format(seq=line.seq, room=line.room))
                self._check_texts(line.identity)
            case IdentityLine():
                self._check_texts(line.identity, line.nick, line.account, *line.codes)
            case BanLine() | MuteLine():
                self._check_texts(line.id, line.target, line.identity, line.reason, line.author)
            case AuditLine():
                if line.number <= self._audit:
                    raise self.wrong(wording.ENTRY_OUT_OF_ORDER.format(number=line.number, before=self._audit))
                self._audit = line.number
                texts = (line.who, line.source, line.action, line.target, line.reason, line.result)
                self._check_texts(*(text.replace("\n", " ") for text in texts))

    def _check_order(self, line: AnyLine) -> None:
        if isinstance(line, BeginLine) != (self.number == 1):
            raise self.wrong(wording.EXPORT_BEGINS)
        if isinstance(line, BeginLine) and line.format != FORMAT:
            raise self.wrong(wording.EXPORT_FORMAT.format(format=line.format, known=FORMAT))
        place = PLACES[type(line)]
        if place < self._place or (place == self._place and isinstance(line, KeysLine)):
            raise self.wrong(wording.LINE_MISPLACED.format(type=type(line).__struct_config__.tag))
        self._place = place

    def _check_message(self, line: MessageLine) -> None:
        if line.room != self._room.room:
            raise self.wrong(wording.MESSAGE_MISPLACED.format(room=line.room, current=self._room.room))
        if self._seq is not None and line.seq != self._seq + 1:
            raise self.wrong(wording.MESSAGE_OUT_OF_ORDER.format(seq=line.seq, before=self._seq))
        self._seq = line.seq
        if bool(line.text) == (line.removed is not None):
            raise self.wrong(wording.TEXT_OR_REMOVED)
        if line.removed is not None:
            if line.paste is not None or not line.removed.reason:
                raise self.wrong(wording.REMOVED_HAS_REASON)
            self._check_texts(line.removed.by, line.removed.reason)
        whole = line.paste.whole if line.paste is not None else ""
        if not (sanitize.is_clean(line.text) and sanitize.is_clean(whole)):
            raise self.wrong(wording.TEXT_CONTROL)
        self._check_texts(line.nick, line.identity)

    def _check_texts(self, *texts: str) -> None:
        for text in texts:
            if "\n" in text or not sanitize.is_clean(text):
                raise self.wrong(wording.FIELD_CONTROL.format(text=sanitize.shown(ascii(text))))

    def _end_room(self) -> None:
        if self._seq is not None and self._seq != self._room.head:
            room = self._room
            raise self.wrong(wording.HEAD_DIFFERS.format(room=room.room, seq=self._seq, head=room.head))
