"""What a peer is told when the journal fails: what is wrong, but not where the journal is stored."""

import pytest

from gateway.core.protocol.events import storage_refusal
from gateway.errors import JournalError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "journal: /srv/my chat/journal.sqlite3 cannot be used (disk I/O error): check its folder's owner",
            "journal.sqlite3 cannot be used (disk I/O error): check its folder's owner",
        ),
        (
            "journal: /srv/a (old) b/journal.sqlite3 cannot be used (unable to open /proc): check",
            "journal.sqlite3 cannot be used (unable to open proc): check",
        ),
        ("the disk failed: disk I/O error", "the disk failed: disk I/O error"),
        ("the disk is nearly full: /srv/chat has 41.2 kB free", "the disk is nearly full: chat has 41.2 kB free"),
        (
            "/srv/chat/journal.sqlite3 has been taken away: put it back",
            "journal.sqlite3 has been taken away: put it back",
        ),
    ],
)
def test_folders_are_left_out_and_nothing_else(error: str, told: str) -> None:
    assert storage_refusal(JournalError(error)).text == f"the journal failed: {told}"
