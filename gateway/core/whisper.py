"""Private messages: from one person to another, never journaled, acknowledged once they are queued."""

from functools import partial

from gateway.core.answers import acknowledge
from gateway.core.events import Private
from gateway.core.hub import Hub
from gateway.core.receipts import Posted
from gateway.core.session import OWED_BYTES, Session
from gateway.errors import Code, Refusal

RETRY_MS = 5000


def whisper(hub: Hub, session: Session, to: str, text: str, id: str | None = None) -> None:
    """Send gated `text` to the person called `to`; under an `id` that is known already, only acknowledge it. Raises
    Refusal where no `id` asks for the answer."""
    if id is None or session.identity is None:
        _deliver(hub, session, to, text)
        return
    settle = hub.receipts.begin((session.identity.id, id), partial(acknowledge, session, id))
    if settle is None:
        return
    try:
        _deliver(hub, session, to, text)
    except Refusal as refusal:
        settle(refusal)
    else:
        settle(Posted("", "", 0))


def _deliver(hub: Hub, session: Session, to: str, text: str) -> None:
    hub.mutes.check(session)
    receiver = hub.nicks.find(to)
    if len(receiver.owed) >= OWED_BYTES:
        raise Refusal(Code.BUSY, f"{receiver.nick} does not read at the moment, try again", retry_ms=RETRY_MS)
    event = Private(session.nick, receiver.nick, hub.wall(), text)
    receiver.tell(event)
    if receiver is not session:
        session.tell(event)
