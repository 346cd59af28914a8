"""The ports file and the lines that say that the doors listen, whatever stands in the file's place."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.process.ready import elsewhere, last_line, write_ports_file

PORTS = {"tcp": 9999, "web": 8080}


def test_pc_48_a_plain_file_is_replaced_and_says_which_doors_are_off(tmp_path: Path) -> None:
    (tmp_path / "ports").write_text("old")

    write_ports_file(tmp_path / "ports", PORTS)

    told = json.loads((tmp_path / "ports").read_text())
    assert told.pop("pid") == os.getpid()
    assert told == {"tcp": 9999, "telnet": None, "web": 8080, "tcp_tls": None, "telnet_tls": None}
    assert os.listdir(tmp_path) == ["ports"]


def test_pc_48_a_fifo_stays_one_and_its_reader_gets_the_ports(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "f").read_text()))
    reader.start()

    write_ports_file(tmp_path / "f", PORTS)

    reader.join(10)
    assert json.loads(got[0])["tcp"] == 9999
    assert stat.S_ISFIFO((tmp_path / "f").stat().st_mode)


def test_pc_48_a_fifo_that_nobody_reads_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.process.files.READER_SECONDS", 0.0)
    os.mkfifo(tmp_path / "f")
    with pytest.raises(StartError, match="cannot write the ports file"):
        write_ports_file(tmp_path / "f", PORTS)


@pytest.mark.parametrize("there", [True, False])
def test_pc_48_a_link_stays_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "l").symlink_to("real.json")
    if there:
        (tmp_path / "real.json").write_text("old")

    write_ports_file(tmp_path / "l", PORTS)

    assert (tmp_path / "l").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["web"] == 8080


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full"])
def test_pc_48_a_device_is_written_to_and_never_replaced(place: str) -> None:
    before = os.stat(place)
    if place == "/dev/full":
        with pytest.raises(StartError, match="No space left"):
            write_ports_file(Path(place), PORTS)
    else:
        write_ports_file(Path(place), PORTS)
    assert os.path.samestat(before, os.stat(place))


def test_a_link_in_a_circle_and_a_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    for place in (tmp_path / "circle", tmp_path, tmp_path / "none" / "ports"):
        with pytest.raises(StartError, match="cannot write the ports file"):
            write_ports_file(place, PORTS)


def test_pc_41_a_host_that_means_every_interface_is_told_by_an_address_that_others_can_use() -> None:
    for host in ("0.0.0.0", "::"):
        assert elsewhere(host) not in ("", "0.0.0.0", "[::]")
    assert elsewhere("127.0.0.1") == ""


def test_the_last_line_says_where_the_messages_are_and_how_to_stop() -> None:
    assert last_line(Path("/var/chat"), ["127.0.0.1"]) == "data in /var/chat; Ctrl-C stops"
    assert last_line(None, ["::1"]) == "nothing is kept; Ctrl-C stops"
    assert "; from other machines: " in last_line(None, ["0.0.0.0"])
