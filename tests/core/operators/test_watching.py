"""Watching one connection, as lines of a terminal."""

from gateway.core.operators import watching
from gateway.core.operators.watching import WATCH_SECONDS
from gateway.core.ports.ledger import AuditQuery
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.core.sessions.session import OWED_BYTES
from tests.core.world import Peer, World


def watched(watch: bool = True) -> tuple[World, Peer, Peer]:
    """A world with an admin's terminal, and bob's."""
    world = World(watch=watch)
    root, bob = world.terminal("root"), world.terminal("bob")
    root.says("/login root right horse")
    root.forget()
    return world, root, bob


def seen(root: Peer) -> list[str]:
    """What the admin is shown within the next moment."""
    root.world.later(0.2)
    return root.lines


def test_an_admin_sees_what_somebody_sends_and_gets_and_no_secret_of_theirs() -> None:
    world, root, bob = watched()
    root.says("/watch bob")
    (begun,) = root.lines
    assert begun.startswith(f"-- you watch bob ({bob.session.id}) for 10 minutes")
    assert bob.session.tap is not None
    bob.session.tap.heard(b"/login bob hunter2\n/nope \x1b[31m\n")
    bob.says("/nope")
    lines = seen(root)
    assert lines[:2] == ["-- bob> /login •••\\n", "-- bob> /nope \\e[31m\\n"]
    assert lines[2].startswith("-- bob< !! unknown_command: ")
    root.says("/watch off")
    assert root.lines == ["-- you do not watch bob any more: as you wished"]
    assert bob.session.tap is None
    bob.says("/nope")
    assert seen(root) == []
    pages: list[object] = []
    world.operators.audit.read(Operator("vera", Role.VIEWER, "web"), AuditQuery(limit=9)).then(pages.append)
    assert [(each.action, each.result) for each in pages[0].entries[:2]] == [
        ("unwatch", "done: off"), ("watch", "done"),
    ]  # fmt: skip


def test_only_admins_watch_and_only_if_the_setting_is_on() -> None:
    world, root, bob = watched(watch=False)
    root.says("/watch bob")
    bob.says("/watch root")
    otto = world.terminal("otto")
    otto.says("/login otto right horse")
    otto.forget()
    otto.says("/watch bob")
    codes = [peer.lines[0].partition(":")[0] for peer in (root, bob, otto)]
    assert codes == ["!! forbidden"] * 3
    assert bob.session.tap is None and not root.session.tap


def test_nobody_watches_in_a_circle() -> None:
    world, root, _ = watched()
    other = world.terminal("ana")
    other.says("/login ana right horse")
    root.says("/watch root", "/watch ana", "/watch bob")
    other.forget()
    other.says("/watch root")
    assert [line for line in root.lines if line.startswith("!!")] == [
        "!! bad_message: that is you", "!! bad_message: you watch somebody already: /watch off ends it",
    ]  # fmt: skip
    assert other.lines[0].startswith("!! busy: root watches somebody")


def test_a_watch_ends_with_the_connection_the_time_or_the_role() -> None:
    for end in ("left", "time", "logged_out"):
        world, root, bob = watched()
        root.says("/watch bob")
        root.forget()
        if end == "left":
            world.hub.disconnect(bob.session, CloseReason.LEFT)
        elif end == "time":
            world.clock.now += WATCH_SECONDS
        else:
            root.session.log_in(None)
        world.later(watching.LOOK_SECONDS + 0.1)
        assert f"-- you do not watch bob any more: {end}" in root.lines
        assert bob.session.tap is None


def test_what_a_watcher_does_not_read_is_dropped_and_counted() -> None:
    world, root, bob = watched()
    root.says("/watch bob")
    root.forget()
    root.transport.room = 0
    assert bob.session.tap is not None
    for _ in range(3000):
        bob.session.tap.heard(b"x" * 1000 + b"\n")
    world.later(1)
    assert len(root.session.owed) < OWED_BYTES + 2 * watching.KEPT_CHARS
    root.reads()
    world.later(1)
    assert any("were too much to show" in line for line in root.lines)
