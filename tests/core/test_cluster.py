"""Facts that nodes tell each other: how they travel and who hears them."""

import msgspec

from gateway.core.ports.cluster import Alone, Fact, LoginsChanged, Missed, SanctionsChanged
from gateway.core.ports.ledger import Measure, Sanction
from gateway.redis.cluster import Hearers


def test_a_fact_comes_back_from_json_as_it_was() -> None:
    ban = Sanction(Measure.BAN, "b1", "nick", "bob", "", "spam", "ana", 5, None)
    fact = SanctionsChanged([ban], [ban._replace(measure=Measure.MUTE, until=7)])

    assert msgspec.json.decode(msgspec.json.encode(fact), type=Fact) == fact


def test_a_fact_is_handed_to_those_who_want_its_kind() -> None:
    heard: list[Fact] = []
    hearers = Hearers()
    hearers.add(LoginsChanged, heard.append)
    hearers.add(LoginsChanged, heard.append)

    hearers.tell(LoginsChanged())
    hearers.tell(Missed())

    assert heard == [LoginsChanged()] * 2


def test_a_single_node_hears_nothing_of_what_it_tells() -> None:
    heard: list[Fact] = []
    alone = Alone()
    alone.hear(LoginsChanged, heard.append)

    alone.tell(LoginsChanged())

    assert heard == [] and alone.node == ""
