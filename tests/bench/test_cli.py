import json
import socket
from pathlib import Path

import pytest

from gateway.bench import main
from gateway.bench.peer import START
from tests.bench.fake_gateway import fake_gateway

SHORT = ["fanout", "--readers", "30", "--window", "16", "--messages", "200", "--patience", "1"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main([*SHORT, *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_no_gateway_there_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str], closed_port: int) -> None:
    code, out, err = run(capsys, "--doors", "tcp", "--tcp-port", str(closed_port))
    assert (code, out) == (1, "")
    reason = f"no gateway at 127.0.0.1:{closed_port} (tcp): Connection refused"
    assert err == f"gateway bench: {reason}; start one with: {START}\n"


def test_a_missing_ports_file_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "--ports-file", str(tmp_path / "none"))
    assert code == 1
    assert err.count("\n") == 1
    assert "cannot read" in err


def test_another_file_is_no_ports_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "ports").write_text("[1]")
    code, _, err = run(capsys, "--ports-file", str(tmp_path / "ports"))
    assert code == 1
    assert "is not a gateway's ports file" in err


def test_a_closed_door_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_gateway() as ports:
        code, _, err = run(capsys, "--doors", "tcp,telnet", "--tcp-port", str(ports["tcp"]), "--telnet-port", "-1")
    assert code == 1
    assert err == "gateway bench: the telnet door is closed there: choose other --doors, or open it\n"


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--doors", "tcp,fax"], "the doors are tcp, web, telnet"),
        (["--readers", "0"], "0 is not between 1"),
        (["--size", "10"], "10 is not between 32 and 4000"),
        (["--rate", "-1"], "-1 is not above 0"),
        (["--window", "2"], "at least one message for each of the 4 writers"),
        (["--compare", "--ways", "carrier-pigeon"], "no way 'carrier-pigeon'"),
        (["--compare", "--pin-load", "0"], "both --pin-server and --pin-load"),
    ],
)
def test_a_wrong_word_is_exit_2_with_advice(capsys: pytest.CaptureFixture[str], words: list[str], advice: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(capsys, *words)
    assert exit_.value.code == 2
    assert advice in capsys.readouterr().err


def test_help_has_an_example_and_names_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["fanout", "--help"])
    out = capsys.readouterr().out
    assert exit_.value.code == 0
    assert "gateway bench fanout --ports-file ports.json" in out
    assert "--limits.messages_per_second 0" in out


def test_a_run_over_all_doors_reports_for_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with fake_gateway() as ports:
        (tmp_path / "ports").write_bytes(b"\xef\xbb\xbf" + json.dumps(ports).encode())  # as an editor may save it
        code, out, err = run(capsys, "--ports-file", str(tmp_path / "ports"), "--doors", "tcp,web,telnet", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["ok"] is True
    assert report["messages"] == 200
    assert report["deliveries"] == 6000
    assert [(name, door["readers"]) for name, door in report["doors"].items()] == [
        ("tcp", 10),
        ("web", 10),
        ("telnet", 10),
    ]


def test_the_text_report_says_what_it_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_gateway() as ports:
        code, out, _ = run(capsys, "--doors", "web", "--tcp-port", "-1", "--web-port", str(ports["web"]))
    assert code == 0
    assert "30 readers, 4 writers, 16 messages in flight, 64 bytes" in out
    assert "CPU unknown: give --ports-file or --pid" in out
    assert "every reader got every message once, in one order" in out
