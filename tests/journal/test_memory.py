"""What only the journal in memory does: it forgets what exceeds its bounds."""

from gateway.errors import JournalError
from gateway.journal.memory import MemoryJournal
from tests.journal.conftest import Ask, Fill, Say, Texts


def test_a_room_keeps_only_its_newest_messages(ask: Ask, fill: Fill, texts: Texts) -> None:
    journal = MemoryJournal(messages_per_room=3)
    fill(journal, 5)
    record = ask(journal.open, "lobby", 50)
    assert (record.first, record.head, texts(journal)) == (3, 5, ["3", "4", "5"])


def test_a_read_of_forgotten_messages_begins_with_the_first_held(ask: Ask, fill: Fill) -> None:
    journal = MemoryJournal(messages_per_room=3)
    fill(journal, 5)
    page = ask(journal.read, "lobby", after=0, before=None, limit=2)
    assert ([message.seq for message in page.messages], page.more) == ([3, 4], True)


def test_over_its_bytes_the_room_that_was_silent_longest_forgets(ask: Ask, say: Say, texts: Texts) -> None:
    journal = MemoryJournal(total_bytes=3 * 1203)
    for room in ("old", "new", "new", "new"):
        ask(journal.append, [say("x" * 1000, room)])
    assert (len(texts(journal, "old")), len(texts(journal, "new"))) == (0, 3)


def test_a_room_that_forgot_everything_goes_on_counting(ask: Ask, say: Say) -> None:
    journal = MemoryJournal(total_bytes=1)
    ask(journal.append, [say("a"), say("b")])
    record = ask(journal.open, "lobby", 9)
    assert (record.first, record.head) == (3, 2)
    assert ask(journal.append, [say("c")])[0].seq == 3


def test_one_room_too_many_is_refused_and_nothing_of_its_batch_is_kept(
    ask: Ask, fill: Fill, say: Say, texts: Texts
) -> None:
    journal = MemoryJournal(rooms=1)
    fill(journal, 1)
    batch = [say("2"), say("x", "other")]
    assert isinstance(ask(journal.append, batch), JournalError)
    assert isinstance(ask(journal.set_topic, "other", "t"), JournalError)
    assert ([message.seq for message in batch], texts(journal)) == ([0, 0], ["1"])
