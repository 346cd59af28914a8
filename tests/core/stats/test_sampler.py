"""The figures that the sampler takes of a hub."""

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.stats.health import RISE_SECONDS, Ceilings, Level, Reading
from gateway.core.stats.sampler import LAGS_LOOKED_AT, MARK_CHARACTERS, MARKS, Sampler, percentile
from gateway.errors import Code, Refusal
from tests.core.world import World

CALM = Reading(lates=[0.001])


def sampled(world: World, seconds: int = 1, reading: Reading = CALM) -> Sampler:
    """Let time pass, with a sample after each second."""
    for _ in range(seconds):
        world.later(1.0)
        world.hub.stats.sampler.sample(reading)
    return world.hub.stats.sampler


def test_connections_are_counted_by_door() -> None:
    world = World()
    world.terminal("bob"), world.browser("ana"), world.browser("eve")
    meters = sampled(world)

    assert (meters.current["connections_tcp"], meters.current["connections_web"]) == (1, 2)
    assert world.hub.stats.counters.connections_peak == 3


def test_messages_and_deliveries_are_told_per_second_and_counted_once() -> None:
    world = World()
    bob, _ = world.terminal("bob"), [world.browser() for _ in range(3)]
    sampled(world)
    bob.says("one", "two")
    meters = sampled(world)

    assert (meters.current["messages_in"], meters.current["deliveries"]) == (2.0, 6.0)
    assert sampled(world).current["messages_in"] == 0 and meters.peaks["messages_in"] == 2
    assert (world.hub.stats.counters.messages_in, world.hub.stats.counters.deliveries) == (2, 6)


def test_totals_do_not_change_when_a_session_ends() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    bob.says("hello")
    counters = world.hub.stats.counters
    before = (counters.messages_in, counters.deliveries, counters.bytes_out)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.hub.disconnect(bob.session, CloseReason.LEFT)

    assert before[0] == 1 and (counters.messages_in, counters.deliveries) == before[:2]
    assert sum(counters.present.values()) == 0 and sum(counters.opened.values()) == 2


def test_closes_are_told_by_reason() -> None:
    world = World()
    sampled(world)
    world.hub.close(world.terminal("bob").session, CloseReason.KICKED)
    world.hub.disconnect(world.browser("ana").session, CloseReason.LOST)
    meters = sampled(world)

    assert (meters.current["closed_kicked"], meters.current["closed_lost"]) == (1, 1)
    assert sampled(world).current["closed_kicked"] == 0
    assert meters.closed_by_reason() == {"kicked": 1, "lost": 1}


def test_a_reader_that_stalls_is_slow_and_has_lag_until_it_reads() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    eve.transport.room = 0
    for _ in range(20):
        bob.says("x" * 1000)
    meters = sampled(world)

    assert meters.current["slow"] == 1
    assert meters.current["lag_p99"] >= 20_000 and meters.current["lag_p50"] == 0
    assert [session.nick for session, _ in meters.slowest] == ["eve"]
    eve.reads()
    assert (sampled(world).current["slow"], meters.current["lag_p99"], meters.slowest) == (0, 0, [])


def test_a_stalled_reader_that_leaves_is_slow_no_more() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    eve.transport.room = 0
    bob.says("hello")
    assert sampled(world).current["slow"] == 1
    world.hub.close(eve.session, CloseReason.KICKED)

    assert sampled(world).current["slow"] == 0


def test_messages_that_a_reader_never_gets_are_skipped() -> None:
    world = World(log_messages=5)
    bob, eve = world.terminal("bob"), world.terminal("eve")
    eve.transport.room = 0
    for number in range(30):
        bob.says(f"line {number}")
    delivered = world.hub.stats.counters.deliveries
    assert sampled(world).current["skipped"] == 0
    eve.reads()

    assert sampled(world).current["skipped"] == 25
    assert world.hub.stats.counters.deliveries - delivered == 5


def test_of_very_many_slow_readers_a_part_stands_for_all() -> None:
    world = World()
    looked_at = []
    counters = world.hub.stats.counters

    class Stalled:
        def __init__(self, number: int) -> None:
            self.number = number

        def lag(self) -> tuple[int, int]:
            looked_at.append(self.number)
            return 1, self.number

    counters.blocked = {Stalled(number): None for number in range(4 * LAGS_LOOKED_AT)}  # type: ignore[misc]
    counters.present["web"] = 8 * LAGS_LOOKED_AT  # type: ignore[index]
    world.hub.stats.sampler.sample(CALM)
    current = world.hub.stats.sampler.current

    assert len(looked_at) == LAGS_LOOKED_AT and current["slow"] == 4 * LAGS_LOOKED_AT
    assert current["lag_p99"] == pytest.approx(0.98 * 4 * LAGS_LOOKED_AT, rel=0.01) and current["lag_p50"] == 0


@pytest.mark.parametrize(
    ("known", "count", "share", "is_"),
    [([], 0, 0.99, 0), ([], 100, 0.5, 0), ([7], 1, 0.5, 7), ([7], 100, 0.99, 0), ([5, 7], 100, 0.99, 5),
     ([1, 2, 3, 4], 4, 0.5, 2), ([7], 2, 0.5, 0), ([7], 2, 0.99, 7)],
)  # fmt: skip
def test_the_nearest_rank_among_many_zeros(known: list[float], count: int, share: float, is_: float) -> None:
    assert percentile(known, count, share) == is_


def test_commits_are_timed() -> None:
    world = World()
    bob = world.terminal("bob")
    before = world.hub.stats.counters.commits.count
    world.journal.shut = True
    bob.says("hello")
    world.clock.now += 0.3
    world.journal.let()
    commits = world.hub.stats.counters.commits

    assert commits.count == before + 1 and commits.sum == pytest.approx(0.3)
    assert [count for bound, count in commits.cumulative() if bound in (0.25, 0.5)] == [before, before + 1]


def test_the_loops_lag_is_the_worst_of_the_second() -> None:
    meters = sampled(World(), reading=Reading(lates=[0.001] * 150 + [0.4, 0.03]))

    assert (meters.current["loop_lag_max_ms"], meters.current["loop_lag_p99_ms"]) == (400, 30)
    assert meters.loop_lag.count == 152


def test_a_loop_that_is_late_second_after_second_is_overloaded() -> None:
    world = World()
    late = Reading(lates=[1.2])
    assert sampled(world, 3, late).refusal() is None
    refusal = sampled(world, int(RISE_SECONDS), late).refusal()

    assert refusal is not None and refusal.code is Code.BUSY and "1,200 ms late" in refusal.text


@pytest.mark.parametrize(
    ("reading", "level", "cause"),
    [
        (Reading(lates=[0.3]), Level.BUSY, "loop_lag"),
        (Reading(lates=[0.0], fds=85), Level.BUSY, "fds"),
        (Reading(lates=[0.0], fds=96), Level.OVERLOADED, "fds"),
        (Reading(lates=[0.0], rss_bytes=960), Level.OVERLOADED, "memory"),
        (Reading(lates=[0.0], accept_queue=0.95), Level.OVERLOADED, "accept_queue"),
        (Reading(lates=[0.2], fds=79, rss_bytes=790, accept_queue=0.4), Level.OK, None),
    ],
)
def test_a_short_resource_is_named(reading: Reading, level: Level, cause: str | None) -> None:
    world = World()
    world.hub.stats.sampler.ceilings = Ceilings(fds=100, rss_bytes=1000)
    health = sampled(world, int(RISE_SECONDS) + 1, reading).health

    assert health.level is level and [each.name for each in health.causes] == ([cause] if cause else [])


def test_a_journal_that_fails_shows_in_the_health_only() -> None:
    world = World()
    world.hub.stats.sampler.storage = Refusal(Code.STORAGE, "the disk is full")
    meters = sampled(world)

    assert meters.health.causes[0].text == "the disk is full" and meters.refusal() is None


def test_marks_are_bounded_in_number_and_length() -> None:
    world = World()
    for number in range(2 * MARKS):
        world.clock.now += 1
        world.hub.stats.sampler.mark(f"{number} " + "x" * 1000)
    marks = world.hub.stats.sampler.marks

    assert len(marks) == MARKS and all(len(mark.text) == MARK_CHARACTERS for mark in marks)
    assert [mark.text[:4] for mark in world.hub.stats.sampler.marks_since(marks[-2].at)] == [f"{2 * MARKS - 1} "]
