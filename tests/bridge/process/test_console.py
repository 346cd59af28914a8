"""The operator's prompt of the origin, at the gateway and at both servers of the origin."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.bridge.origins import CLASSIC, ECHO, GATEWAY, running

each_command = pytest.mark.parametrize("command", [ECHO, CLASSIC, GATEWAY], ids=["echo", "classic", "serve"])


@each_command
def test_quit_at_the_prompt_stops_the_server(tmp_path: Path, command: tuple[str, ...]) -> None:
    with running(tmp_path, *command, "--console", stdin=subprocess.PIPE) as server:
        server.operator_says(b"hello?\n  quit \n")
        code, output, _ = server.ends()

    assert code == 0
    assert output.startswith(b"ready: ")
    assert output.count(b">>>:") == 2


@each_command
@pytest.mark.parametrize("pieces", [(b"\xef\xbb\xbfquit\r\n",), (b"\xef", b"\xbb\xbfquit\r\n")])
def test_pc_44_a_byte_order_mark_before_the_first_word_counts_for_nothing(
    tmp_path: Path, command: tuple[str, ...], pieces: tuple[bytes, ...]
) -> None:
    with running(tmp_path, *command, "--console", stdin=subprocess.PIPE) as server:
        for piece in pieces:
            server.operator_says(piece)
        assert server.ends()[0] == 0


@each_command
def test_the_end_of_its_input_ends_only_the_prompt(tmp_path: Path, command: tuple[str, ...]) -> None:
    with running(tmp_path, *command, "--console") as server:
        first = server.call()
        first.says(b"anybody?\n/time\n")
        first.hears(b"\n")

        assert server.ends(signal.SIGTERM)[0] == 0


@each_command
def test_a_signal_stops_it_while_the_prompt_waits(tmp_path: Path, command: tuple[str, ...]) -> None:
    with running(tmp_path, *command, "--console", stdin=subprocess.PIPE) as server:
        server.operator_says(b"qu")
        code, _, complaints = server.ends(signal.SIGINT)

    assert (code, complaints) == (0, b"")


def test_without_console_standard_input_means_nothing(tmp_path: Path) -> None:
    with running(tmp_path, *ECHO, stdin=subprocess.PIPE) as server:
        server.operator_says(b"quit\n")
        ana = server.call()
        ana.says(b"hello\n")
        ana.hears(ana.line("hello"))
        _, output, _ = server.ends(signal.SIGTERM)

    assert b">>>:" not in output


def test_a_prompt_may_be_read_from_a_file(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    orders.write_bytes(b"\nquit")
    with orders.open() as file, running(tmp_path, *CLASSIC, "--console", stdin=file.fileno()) as server:
        assert server.ends()[0] == 0
