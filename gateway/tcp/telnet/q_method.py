"""Telnet options by the Q method (RFC 1143 section 7): which are on at which side, and what is said to change one.

Theory of this file. An option has six states a side, and one table of moves says what follows from what a peer says or
our door wants. So both sides can change their minds at the same time and never answer each other for ever. One state
is added to the RFC's: REFUSED, for an option that we do not want and have already refused. It sends nothing, so a peer
that insists gets one DONT per connection and no ping-pong, and all 512 refusals together take 1.5 KB.

The numbers of the protocol (RFC 854, 855 and those of the options) are here as well.
"""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SE, NOP, DATA_MARK, BREAK, INTERRUPT_PROCESS, ABORT_OUTPUT, ARE_YOU_THERE = range(240, 247)
ERASE_CHARACTER, ERASE_LINE, GO_AHEAD, SB, WILL, WONT, DO, DONT, IAC = range(247, 256)

ECHO, SGA, TIMING_MARK, TTYPE, NAWS, NEW_ENVIRON = 1, 3, 6, 24, 31, 39


class Side(StrEnum):
    """Who performs an option: us (the peer says DO and DONT) or the peer (it says WILL and WONT)."""

    US = "us"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Settled:
    """An option the door asked for or agreed to is now on or off at that side."""

    side: Side
    option: int
    on: bool


class State(StrEnum):
    """The state of one option at one side, as we know it."""

    NO = "no"
    REFUSED = "refused"
    YES = "yes"
    WANT_NO = "want no"
    WANT_NO_THEN_YES = "want no, then yes"
    WANT_YES = "want yes"
    WANT_YES_THEN_NO = "want yes, then no"


class Trigger(StrEnum):
    """What causes a move."""

    OFFER = "the peer says WILL or DO of an option we want"
    INTRUSION = "the same of an option we do not want"
    DENIAL = "the peer says WONT or DONT"
    ENABLE = "our door wants it on"
    DISABLE = "our door wants it off"


# (cause, state) -> (next state, what we say: True = WILL or DO, False = WONT or DONT, None = nothing).
# A pair that is not here changes nothing and says nothing.
_MOVES: Final[dict[tuple[Trigger, State], tuple[State, bool | None]]] = {
    (Trigger.OFFER, State.NO): (State.YES, True),
    (Trigger.OFFER, State.WANT_NO): (State.NO, None),
    (Trigger.OFFER, State.WANT_NO_THEN_YES): (State.YES, None),
    (Trigger.OFFER, State.WANT_YES): (State.YES, None),
    (Trigger.OFFER, State.WANT_YES_THEN_NO): (State.WANT_NO, False),
    (Trigger.INTRUSION, State.NO): (State.REFUSED, False),
    (Trigger.INTRUSION, State.WANT_NO): (State.NO, None),
    (Trigger.INTRUSION, State.WANT_NO_THEN_YES): (State.YES, None),
    (Trigger.INTRUSION, State.WANT_YES): (State.YES, None),
    (Trigger.INTRUSION, State.WANT_YES_THEN_NO): (State.WANT_NO, False),
    (Trigger.DENIAL, State.YES): (State.NO, False),
    (Trigger.DENIAL, State.WANT_NO): (State.NO, None),
    (Trigger.DENIAL, State.WANT_NO_THEN_YES): (State.WANT_YES, True),
    (Trigger.DENIAL, State.WANT_YES): (State.NO, None),
    (Trigger.DENIAL, State.WANT_YES_THEN_NO): (State.NO, None),
    (Trigger.ENABLE, State.NO): (State.WANT_YES, True),
    (Trigger.ENABLE, State.REFUSED): (State.WANT_YES, True),
    (Trigger.ENABLE, State.WANT_NO): (State.WANT_NO_THEN_YES, None),
    (Trigger.ENABLE, State.WANT_YES_THEN_NO): (State.WANT_YES, None),
    (Trigger.DISABLE, State.YES): (State.WANT_NO, False),
    (Trigger.DISABLE, State.WANT_NO_THEN_YES): (State.WANT_NO, None),
    (Trigger.DISABLE, State.WANT_YES): (State.WANT_YES_THEN_NO, None),
}

_SAID: Final = {(Side.US, True): WILL, (Side.US, False): WONT, (Side.PEER, True): DO, (Side.PEER, False): DONT}
VERBS: Final = {WILL: (Side.PEER, True), WONT: (Side.PEER, False), DO: (Side.US, True), DONT: (Side.US, False)}
"""What a peer says of an option: at which side, and whether it is to be on."""


class TelnetOptions:
    """The options of one connection. `ours` are those we perform when the peer asks, `theirs` those it may perform when
    it offers. Verbs return the bytes to send, mostly none."""

    __slots__ = ("_states", "_wanted")

    def __init__(self, ours: Set[int], theirs: Set[int]) -> None:
        self._wanted = {Side.US: ours, Side.PEER: theirs}
        self._states: dict[tuple[Side, int], State] = {}

    def heard(self, verb: int, option: int) -> tuple[bytes, Settled | None]:
        """The peer has said WILL, WONT, DO or DONT: the reply, and what is settled by it."""
        side, positive = VERBS[verb]
        before = self._states.get((side, option), State.NO)
        if before is State.REFUSED:
            return b"", None
        wanted = option in self._wanted[side]
        cause = Trigger.DENIAL if not positive else Trigger.OFFER if wanted else Trigger.INTRUSION
        reply = self._move(cause, side, option)
        after = self._states.get((side, option), State.NO)
        if after is before or after not in (State.YES, State.NO):
            return reply, None
        return reply, Settled(side, option, after is State.YES)

    def enable(self, side: Side, option: int) -> bytes:
        """Our door wants the option."""
        return self._move(Trigger.ENABLE, side, option)

    def disable(self, side: Side, option: int) -> bytes:
        """Our door wants the option's end."""
        return self._move(Trigger.DISABLE, side, option)

    def is_on(self, side: Side, option: int) -> bool:
        """Whether both sides have agreed to the option."""
        return self._states.get((side, option)) is State.YES

    def agreed(self, side: Side) -> list[int]:
        """The options that are on at that side."""
        return [option for (of, option), state in self._states.items() if of is side and state is State.YES]

    def _move(self, cause: Trigger, side: Side, option: int) -> bytes:
        before = self._states.get((side, option), State.NO)
        after, say = _MOVES.get((cause, before), (before, None))
        if after is not before:
            self._states[side, option] = after
        return b"" if say is None else bytes((IAC, _SAID[side, say], option))
