"""Commands of a terminal that has not read everything yet."""

from gateway import wording
from gateway.core.operators.drain import send_away
from tests.core.world import World


def test_bot_typed_by_a_terminal_that_lags_loses_nothing() -> None:
    world = World()
    ana, lagging = world.terminal("ana"), world.terminal("lagging")
    lagging.session.owe(b"something read before\n")
    world.run()
    lagging.reads(0)
    ana.says(*[f"line {number}" for number in range(5)])
    world.run()
    lagging.forget()
    lagging.says("/bot")
    lagging.reads()
    world.run()

    shown = lagging.transport.taken.decode()
    assert all(shown.count(f"line {number}") == 1 for number in range(5))
    assert shown.index('"type":"joined"') < shown.index("line 4")


def test_l8_a_half_closed_terminal_is_told_of_the_end_of_the_gateway_too() -> None:
    world = World()
    script, before = world.terminal("script"), world.terminal("before")
    world.hub.half_closed(before.session)
    world.run()
    world.hub.gate.stop()
    script.says("last words")
    world.hub.half_closed(script.session)
    world.later(3)

    assert before.session.closed
    assert not script.session.closed
    send_away(world.hub, [script.session], lambda: 1000, wording.RESTARTING)
    world.run()
    assert any(line.startswith("!! draining") for line in script.lines)
