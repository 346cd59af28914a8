"""Sending people away for a while: each is told when to come back, and who uses a terminal by which code.

A terminal has no token, so whoever has spoken there or taken a name is given a code as by /resume. It is told only when
it is stored, or it would not work after the restart.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway.core.closing import CloseReason
from gateway.core.identity import spelled
from gateway.core.names import is_guest
from gateway.core.session import Session
from gateway.errors import JournalError

if TYPE_CHECKING:
    from gateway.core.hub import Hub


def send_away(
    hub: "Hub",
    sessions: Sequence[Session],
    retry_ms: Callable[[], int],
    done: Callable[[], None],
    *,
    codes: bool = True,
) -> None:
    """Close the sessions with DRAINING, then call `done`; at once or, where codes are to be stored, after that.

    `retry_ms` draws the time for each. All codes are stored in one transaction: hand in some hundred sessions at once.
    Without `codes` nobody gets a new one, and none is told.
    """
    known = [session for session in sessions if codes and _has_a_place(session)]
    for session in known:
        hub.reception.code(session)

    def stored(failure: JournalError | None) -> None:
        told = set(known) if failure is None else set()
        for session in sessions:
            delay = retry_ms()
            words = "" if session.wire.objects else f"come back in {max(1, round(delay / 1000))} s"
            hub.close(session, CloseReason.DRAINING, words, delay, aside=_code(session) if session in told else "")
        done()

    if known:
        hub.reception.stored(stored)
    else:
        stored(None)


def _has_a_place(session: Session) -> bool:
    """Whether there is something to come back to."""
    if session.closed or not session.terminal or session.wire.objects:
        return False
    return session.identity is not None or session.messages_in > 0 or not is_guest(session.nick)


def _code(session: Session) -> str:
    assert session.identity is not None
    return f", /resume {spelled(session.identity.id)} brings you back"
