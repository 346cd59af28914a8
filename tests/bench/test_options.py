import pytest

from gateway.bench import main
from gateway.bench.options import KINDS, NEEDS_NO_GATEWAY
from tests.bench.conftest import Bench


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int | str | None, str]:
    with pytest.raises(SystemExit) as exit_:
        main(words)
    out, err = capsys.readouterr()
    return exit_.value.code, out + err


def test_the_help_lists_every_kind_and_how_to_start_a_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = shown(capsys, "--help")
    assert code == 0
    assert "gateway serve --memory --limits.messages_per_second 0" in out
    assert all(f"    {name}" in out for name in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_help_with_an_example_and_its_own_options(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = shown(capsys, kind, "--help")
    assert code == 0
    assert f"gateway bench {kind}" in out.partition("example:")[2]
    assert all((flag in out) is (kind not in NEEDS_NO_GATEWAY) for flag in ("--ports-file", "--pin-server"))
    assert all(f"--{name} " in out for name in KINDS[kind].defaults if name != "compare")
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["carrier-pigeon"], "invalid choice: 'carrier-pigeon'"),
        (["idle", "--steps", "ten"], "'ten' is not a list of whole numbers"),
        (["fanout", "--plot", "picture.gif"], "picture.gif ends neither in .png nor in .svg"),
        (["fanout", "--plot", "/no/such/folder/x.png"], "there is no folder /no/such/folder"),
        (["rooms", "--people", "1"], "1 is not between 2 and"),
        (["talk", "--writers", "300"], "300 is not between 1 and 255"),
        (["rooms", "--rooms", "50", "--window", "10"], "at least one message for each of the 50 writers"),
    ],
)
def test_a_wrong_word_is_exit_2_with_advice(capsys: pytest.CaptureFixture[str], words: list[str], advice: str) -> None:
    code, said = shown(capsys, *words)
    assert code == 2
    assert advice in said


def test_without_a_kind_it_is_fanout(bench: Bench) -> None:
    report = bench("--readers=6", "--messages", "40")
    assert (report["kind"], report["deliveries"]) == ("fanout", 240)


@pytest.mark.parametrize(
    ("kind", "words", "deliveries"),
    [
        ("ingest", ["--writers", "3", "--messages", "60"], 60),
        ("rooms", ["--rooms", "4", "--people", "3", "--messages", "40"], 120),
    ],
)
def test_the_loads_deliver_what_they_say(kind: str, words: list[str], deliveries: int, bench: Bench) -> None:
    assert bench(kind, *words)["deliveries"] == deliveries


def test_in_a_talk_terminals_are_not_sent_their_own_lines(bench: Bench) -> None:
    report = bench("talk", "--writers", "5", "--messages", "100", "--doors", "tcp")
    assert report["messages"] == 100
    assert report["deliveries"] == 100 + 5 * 100 - 100
