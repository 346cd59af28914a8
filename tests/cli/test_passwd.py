"""`gateway passwd`: what it prints is what the settings take."""

import io
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from gateway.accounts import argon
from gateway.accounts.accounts import digest_of
from gateway.cli.main import main
from gateway.config.sources import load
from tests.fakes import PATIENCE

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "gateway", "passwd"]
Passwd = Callable[..., tuple[int, str, str]]


@pytest.fixture
def passwd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Passwd:
    """Runs the command: its exit code and what it says to standard output and standard error."""

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(["passwd", *arguments])
        return code, *capsys.readouterr()

    return run


def advised(words: str, folder: Path) -> str:
    """A settings file with the lines that the output advises."""
    path = folder / "gateway.toml"
    path.write_text(words[words.index("[admin") :].partition("\n\n")[0] + "\n")
    tomllib.loads(path.read_text())
    return str(path)


def test_a_line_of_input_becomes_a_hash_and_the_advice_is_a_right_file(passwd: Passwd, tmp_path: Path) -> None:
    code, hashed, advice = passwd(stdin="h\u00e4stens sko\nignored".encode())

    assert code == 0 and argon.verify(hashed.strip(), "h\u00e4stens sko".encode())
    assert load({}, {}, advised(advice, tmp_path)).settings.admin.password_hash == hashed.strip()


def test_pc_44_a_byte_order_mark_before_the_password_is_no_part_of_it(passwd: Passwd) -> None:
    code, hashed, _ = passwd(stdin=b"\xef\xbb\xbfcorrect horse\r\n")

    assert code == 0 and argon.verify(hashed.strip(), b"correct horse")


def test_an_account_is_advised_with_its_name_and_role(passwd: Passwd, tmp_path: Path) -> None:
    _, _, advice = passwd("--role", "operator", "ana.b", stdin=b"correct horse\r\n")
    settings = load({}, {}, advised(advice, tmp_path)).settings

    assert settings.admin.accounts["ana.b"].role == "operator"
    assert argon.verify(settings.admin.accounts["ana.b"].hash, b"correct horse")


def test_a_token_is_shown_once_and_its_digest_advised(passwd: Passwd, tmp_path: Path) -> None:
    _, token, advice = passwd("--token", "ci")

    assert re.fullmatch("[0-9a-f]{48}", token.strip()), "a `-` at its beginning would be taken for an option"
    assert token.strip() not in advice
    settings = load({}, {}, advised(advice, tmp_path)).settings
    assert settings.admin.tokens == (f"ci:viewer:{digest_of(token.strip())}",)


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        ([], b"1234567\n", "7 bytes"),
        ([], b"x" * 1025, "1,024 bytes"),
        ([], b"", "a password has 1 to"),
        ([], b"\xff" * 8, "not UTF-8"),
        ([], b"a\x00bcdefgh", "control characters"),
        (["-x"], b"", "--help"),
        (["--token"], b"", "need a NAME"),
        (["--role", "admin"], b"", "need a NAME"),
        (["a b"], b"", "'a b' is not a valid account name"),
    ],
)
def test_a_malformed_password_or_name_is_wrong_usage(
    passwd: Passwd, arguments: list[str], stdin: bytes, said: str
) -> None:
    code, out, words = passwd(*arguments, stdin=stdin)

    assert (code, out) == (2, "")
    assert said in words


@pytest.mark.parametrize(("second", "code"), [("correct horse", 0), ("correct house", 2)])
def test_on_a_terminal_it_asks_twice_and_shows_nothing(second: str, code: int) -> None:
    child = pexpect.spawn(PROGRAM[0], PROGRAM[1:], cwd=str(ROOT), timeout=PATIENCE, encoding="utf-8")
    for prompt, answer in (("Password: ", "correct horse"), ("again: ", second)):
        child.expect_exact(prompt)
        child.waitnoecho(10)
        child.sendline(answer)
    rest = child.read()
    child.close()

    assert child.exitstatus == code
    assert ("$argon2id$" in rest) == (code == 0) and "correct" not in rest
