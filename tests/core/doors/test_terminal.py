"""What several lines of a terminal that come together mean: the same as if they came one after the other."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.ports.ledger import Measure, Sanction
from gateway.core.sessions.session import Session
from tests.core.world import World

MEANT = st.sampled_from(
    ["a line as people write it", "hi", "help", "?", "exit", "/nick zoe", "/who", "//path", "/usr/bin/x", "see a/b/c",
     "", " ", " indented", "\ufeffmark", "\x1b[31mred", "d\u00e9j\u00e0 vu", "/me waves", "\u200b", "x" * 4001,
     "/paste", ".", "/join ops", "\x03", "a\tb", "to /login x", " /login bob pass"]
)  # fmt: skip
LINES = st.lists(st.one_of(MEANT.map(str.encode), st.binary(max_size=6).map(lambda raw: raw.replace(b"\n", b""))))


def one_by_one(world: World, session: Session, lines: list[bytes]) -> list[bytes]:
    """What is left when the session is held or closed, as `tcp.connection` hands lines on."""
    while lines and not session.held and not session.closed:
        world.terminals.line(session, lines[0])
        lines = lines[1:]
    return lines


def together(world: World, session: Session, lines: list[bytes]) -> list[bytes]:
    said = 0 if session.held else world.terminals.lines(session, lines)
    return one_by_one(world, session, lines[said:])


def outcome(handle: Any, lines: list[bytes], muted: bool, **limits: Any) -> list[object]:
    """All that can be seen of what came of the lines."""
    world = World(**limits)
    reader, peer = world.terminal("reader"), world.terminal("peer")
    peer.session.counted_as = "203.0.113.7"
    if muted:
        world.hub.mutes.add(Sanction(Measure.MUTE, "1", "nick", "peer", "", "", "ana", 0, None))
    seen: list[object] = []
    for _ in range(400):
        world.terminals.heard(peer.session)
        lines = handle(world, peer.session, lines)
        seen += [len(lines), peer.session.held, peer.session.paid_until, peer.session.pending]
        world.run()
        if not lines or peer.session.closed:
            break
        world.later(0.3)
    said = [(m.seq, m.ts, m.nick, m.kind, m.text) for room in world.hub.rooms.values() for m in room.log.after(0)]
    counts = peer.session.messages_in, world.hub.rate_limit.heard, peer.session.last_line, world.hub.commits.busy
    shown = [peer.transport.taken, reader.transport.taken]
    for room in world.hub.rooms.values():  # an epoch is drawn by chance
        shown = [each.replace(room.epoch.encode(), b"epoch") for each in shown]
    return [*seen, said, *counts, peer.session.told_once, *shown]


@given(LINES, st.booleans(), st.sampled_from([0.0, 10.0]), st.sampled_from([1, 3, 100]))
@example([b"one line", b"another line", b"help"], False, 0.0, 100)
@example([b"a line as people write it"] * 6, False, 10.0, 3)
@example([b"a line as people write it"] * 3, True, 10.0, 100)
@example([b"help", b"a line as people write it", b"quit", b"never said"], False, 0.0, 100)
def test_lines_that_come_together_do_what_they_do_one_by_one(
    lines: list[bytes], muted: bool, rate: float, burst: int
) -> None:
    limits: dict[str, Any] = {"messages_per_second": rate, "burst": burst, "address_burst": 4}

    assert outcome(together, lines, muted, **limits) == outcome(one_by_one, lines, muted, **limits)


def test_lines_that_are_nothing_but_messages_are_taken_together_up_to_the_first_that_may_be_more() -> None:
    world = World()
    peer = world.terminal("peer")
    plain = [b"one", b"two", "deux, d\u00e9j\u00e0".encode(), b"and a/b"]

    assert world.terminals.lines(peer.session, [*plain, b"/who", b"five"]) == len(plain)
    assert peer.session.pending == len(plain)


def test_no_more_lines_are_taken_together_than_the_rate_allows() -> None:
    world = World(messages_per_second=10, burst=3)
    peer = world.terminal("peer")

    assert world.terminals.lines(peer.session, [b"a line"] * 10) == 3
    assert peer.session.held
