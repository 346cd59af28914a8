"""Bans and mutes: whom they cover, until when, and what a check costs."""

import pytest

from gateway.core.clock import Clock
from gateway.core.delivery import Delivery
from gateway.core.ports.ledger import Measure, Sanction
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import PLAIN
from gateway.core.sessions import sanctions
from gateway.core.sessions.sanctions import Sanctions, Target, TargetKind
from gateway.core.sessions.session import Session
from gateway.core.stats.counters import Counters
from gateway.errors import Code, Refusal
from tests.fakes import RecordingTransport

MINUTE = 60_000


class Table(Sanctions):
    """A table whose clock is set by hand, and that takes words."""

    def __init__(self) -> None:
        self.now = 1_000_000
        super().__init__(Measure.BAN, Clock(lambda: self.now / 1000, lambda: self.now, lambda seconds: None))

    def put(self, words: str, id: str = "1", until: int | None = None) -> None:
        target = sanctions.target(words)
        self.add(Sanction(Measure.BAN, id, target.kind, target.text, "", "", "ana", self.now, until))


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        ("bob", TargetKind.NICK, "bob"), ("guest-4f2a", TargetKind.NICK, "guest-4f2a"), ("a.b", TargetKind.NICK, "a.b"),
        ("10.0.0.4", TargetKind.ADDRESS, "10.0.0.4"), ("10.1.2.3/8", TargetKind.ADDRESS, "10.0.0.0/8"),
        ("2001:DB8::1", TargetKind.ADDRESS, "2001:db8::/64"), ("2001:db8::1/32", TargetKind.ADDRESS, "2001:db8::/32"),
        ("::ffff:10.0.0.4", TargetKind.ADDRESS, "10.0.0.4"), ("::ffff:10.0.0.0/104", TargetKind.ADDRESS, "10.0.0.0/8"),
        ("fe80::1%eth0", TargetKind.ADDRESS, "fe80::/64"), ("10.0.0.4/32", TargetKind.ADDRESS, "10.0.0.4"),
        ("2001:db8::1/128", TargetKind.ADDRESS, "2001:db8::1/128"), ("::1", TargetKind.ADDRESS, "::1/128"),
        (" 203.0.113.7\n", TargetKind.ADDRESS, "203.0.113.7"), ("[2001:db8::7]", TargetKind.ADDRESS, "2001:db8::/64"),
        ("203.0.113.7:51234", TargetKind.ADDRESS, "203.0.113.7"),
        ("[::ffff:10.0.0.4]:80", TargetKind.ADDRESS, "10.0.0.4"),
    ],
)  # fmt: skip
def test_a_target_is_a_nick_or_an_address_in_one_spelling(words: str, kind: TargetKind, text: str) -> None:
    assert sanctions.target(words) == Target(kind, text)


@pytest.mark.parametrize("words", ["1.2.3.4/33", "300.1.1.1", "1.2.3", "::/129", "/", "x/8", "1:2", "10.0.0.0/-1", ""])
def test_what_is_neither_is_refused(words: str) -> None:
    with pytest.raises(Refusal) as refused:
        sanctions.target(words)
    assert refused.value.code in (Code.BAD_MESSAGE, Code.NICK_INVALID)


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.1.1"], ["11.0.0.0", "9.255.255.255", "::10.0.0.1"]),
        ("10.0.0.4", ["10.0.0.4"], ["10.0.0.5"]), ("2001:db8::/32", ["2001:db8:ffff::1"], ["2001:db9::", "10.0.0.4"]),
        ("2001:db8::1/128", ["2001:db8::1"], ["2001:db8::2"]), ("0.0.0.0/0", ["1.2.3.4"], ["2001:db8::1", "nowhere"]),
        ("fe80::1/128", ["fe80::1%eth0"], ["fe80::2%eth0"]), ("2001:db8::1", ["2001:db8::9:9"], ["2001:db8:0:1::1"]),
    ],
)  # fmt: skip
def test_a_range_holds_for_its_addresses_only(table: Table, words: str, inside: list[str], outside: list[str]) -> None:
    table.put(words)
    assert all(table.on_address(each) for each in inside)
    assert not any(table.on_address(each) for each in outside)
    assert all(sanctions.covers(sanctions.target(words), each) for each in inside)
    assert not any(sanctions.covers(sanctions.target(words), each) for each in outside)


@pytest.mark.parametrize("like", ["bob", "BOB", "b0b", "\uff42\uff4f\uff42", "b\u043eb"])
def test_a_nick_is_banned_with_all_that_look_like_it(table: Table, like: str) -> None:
    table.put("bob")
    assert table.on_nick(like)
    assert not table.on_nick("bobby")


def test_an_end_that_has_come_lets_in_and_a_clock_set_back_keeps_out(table: Table) -> None:
    table.put("bob", until=table.now + MINUTE)
    table.now += MINUTE
    assert not table.on_nick("bob") and not table.holding()
    table.now -= 1
    assert table.on_nick("bob")
    table.now += 10 * 365 * 24 * 3_600_000
    assert not table.on_nick("bob")
    table.now = 1_000_000
    assert table.on_nick("bob")


def test_of_several_the_longest_counts(table: Table) -> None:
    table.put("10.0.0.0/8", "1", until=table.now + MINUTE)
    table.put("10.0.0.4", "2", until=table.now + 2 * MINUTE)
    table.put("10.0.0.0/16", "3", until=table.now - 1)
    assert (found := table.on_address("10.0.0.4")) and found.id == "2"
    table.put("10.0.0.0/24", "4")
    assert (found := table.on_address("10.0.0.4")) and found.id == "4"


def test_what_is_lifted_leaves_nothing_behind(table: Table) -> None:
    for number, words in enumerate(("bob", "b0b", "10.0.0.4", "10.0.0.0/8")):
        table.put(words, str(number))
    assert [table.remove(str(number)) is not None for number in (0, 1, 2, 3, 0)] == [True, True, True, True, False]
    assert not table._found and not table._keys and not table._lengths and not table.by_id


def test_one_of_two_that_look_alike_may_be_lifted_alone(table: Table) -> None:
    table.put("bob", "1")
    table.put("b0b", "2")
    assert [each.id for each in table.of(sanctions.nick("BOB"))] == ["1"]
    table.remove("1")
    assert table.on_nick("bob")


def test_an_ipv6_address_that_an_older_version_banned_alone_is_lifted_as_such(table: Table) -> None:
    table.add(Sanction(Measure.BAN, "1", "address", "2001:db8::1", "", "", "ana", 0, None))
    assert table.on_address("2001:db8::1") and not table.on_address("2001:db8::2")
    assert [each.id for each in table.of(sanctions.target("2001:db8::1/128"))] == ["1"]


def test_ten_thousand_cost_a_newcomer_as_much_as_ten(table: Table) -> None:
    for number in range(10_000):
        table.put(f"10.{number >> 8}.{number & 255}.0/24", f"a{number}")
        table.put(f"nick{number}", f"n{number}")
    assert len(table._address_keys("10.0.0.1")) == 1
    assert table.on_address("10.39.15.9") and not table.on_address("10.39.16.9")


def test_a_session_is_found_by_nick_address_and_itself(table: Table) -> None:
    session = Session(
        7, "bob", Arrival(Door.TCP, "10.0.0.4"), RecordingTransport(), PLAIN, Delivery(table._clock), Counters()
    )
    assert table.on(session) is None
    table.put("10.0.0.0/8", "1")
    assert table.on(session)
    table.remove("1")
    table.add(Sanction(Measure.BAN, "2", "nick", "bob", "", "", "ana", 0, None), session)
    session.nick = "innocent"
    assert table.on(session)


@pytest.mark.parametrize(
    ("words", "doubtful"),
    [
        ("0.0.0.0/0", True), ("::/0", True), ("127.0.0.1", True), ("126.0.0.0/7", True), ("::1", True), ("::/64", True),
        ("10.0.0.9", True), ("10.0.0.0/24", True), ("10.0.1.0/24", False),
        ("128.0.0.0/1", True), ("2000::/3", True), ("11.0.0.0/8", False), ("2a00::/16", False), ("2001:db8::1", False),
        ("bob", False),
    ],
)  # fmt: skip
def test_what_nobody_means_to_ban_is_doubted(words: str, doubtful: bool) -> None:
    assert (sanctions.doubt(sanctions.target(words), "10.0.0.9") is not None) == doubtful


def test_a_zone_does_not_make_a_range_an_address() -> None:
    assert sanctions.target("fe80::1%eth0/64").text == "fe80::/64"
    assert sanctions.target("fe80::1%eth0/128").text == "fe80::1/128"


def test_the_end_is_told_with_its_date_when_it_is_not_today() -> None:
    ban = Sanction(Measure.BAN, "1", "nick", "bob", "", "spam", "ana", 0, None)
    now = 1_790_000_000_000
    assert sanctions.words_of(ban, now) == "for ever, spam"
    assert len(sanctions.words_of(ban._replace(until=now, reason=""), now)) == len("until 15:10")
    assert sanctions.words_of(ban._replace(until=now + 9 * 86_400_000), now).startswith("until 2026-")
