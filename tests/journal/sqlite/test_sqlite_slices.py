"""Old messages of a large journal are deleted in slices."""

from gateway.journal.removals import EXPIRED_PER_SLICE
from tests.journal.conftest import Ask, OpenSqlite, Say


def test_a_slice_is_bounded_and_the_next_goes_on(open_sqlite: OpenSqlite, ask: Ask, say: Say) -> None:
    journal = open_sqlite()
    for room in ("a", "b"):
        ask(journal.append, [say(str(number), room=room, ts=1000) for number in range(EXPIRED_PER_SLICE + 10)])
    slices = [ask(journal.expire, 2000) for _ in range(3)]
    assert [each.more for each in slices] == [True, True, False]
    assert [record.first for record in ask(journal.rooms)] == [EXPIRED_PER_SLICE + 11] * 2
