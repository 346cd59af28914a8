"""Files that are written whole, and never in the place of a link, a FIFO or a device; the secret key."""

import errno
import os
import stat
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.login_link import LoginLinkKey, read_key
from gateway.process import files
from gateway.process.files import KEY_BYTES, kept_key, write_whole


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token.key"

    key = kept_key(path)

    assert kept_key(path) == key and len(key) == KEY_BYTES
    assert mode(path) == 0o600 and os.listdir(path.parent) == ["token.key"]


def test_pc_48_a_linked_key_is_made_where_the_link_leads(tmp_path: Path) -> None:
    (tmp_path / "token.key").symlink_to("secret")

    key = kept_key(tmp_path / "token.key")

    assert (tmp_path / "token.key").is_symlink()
    assert (tmp_path / "secret").read_bytes() == key


@pytest.mark.parametrize("place", ["fifo", "/dev/zero", "folder", "circle"])
def test_a_key_that_is_no_plain_file_is_refused_at_once(tmp_path: Path, place: str) -> None:
    path = tmp_path / "token.key"
    if place == "fifo":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    else:
        path.symlink_to("token.key" if place == "circle" else place)
    with pytest.raises(StartError, match=r"token\.key"):
        kept_key(path)


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.EROFS, "with --memory"), (errno.ENOSPC, "free some space"), (errno.EACCES, "owner and mode")],
)
def test_a_key_that_cannot_be_written_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "write_whole", fail)
    with pytest.raises(StartError, match=f"{os.strerror(code)}; .*{advice}"):
        kept_key(tmp_path / "token.key")


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 250)
    with pytest.raises(OSError):
        write_whole(target, b"words", 0o644)
    assert os.listdir(tmp_path) == []


def test_pc_48_what_tells_of_a_running_gateway_goes_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "running.json").symlink_to("shown.json")
    key = LoginLinkKey(tmp_path)

    key.write("http://127.0.0.1:8080/")

    assert (tmp_path / "running.json").is_symlink() and mode(tmp_path / "shown.json") == 0o600
    assert read_key(tmp_path)[:2] == ("http://127.0.0.1:8080/", key.secret)
    key.remove()
    assert (tmp_path / "running.json").is_symlink() and not (tmp_path / "shown.json").exists()


@pytest.mark.parametrize("place", ["fifo", "/dev/zero", "folder"])
def test_what_should_tell_of_a_running_gateway_and_is_no_file_is_told_at_once(tmp_path: Path, place: str) -> None:
    path = tmp_path / "running.json"
    if place == "fifo":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    else:
        path.symlink_to(place)
    with pytest.raises(StartError, match=r"running\.json"):
        read_key(tmp_path)
