"""A text that was taken back is in no file of the data folder and behind no door; and long texts by netcat."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import Browser, Terminal, request
from tests.fakes import PATIENCE, until

SECRET = "hunter2-was-my-password-and-everybody-saw-it"
TRACE = "\n".join(f"  File app.py, line {number}, in work_{number}" for number in range(1200))


def held(gateway: Gateway, words: str) -> list[str]:
    """The files of the data folder in which the words stand."""
    files = [path for path in Path(gateway.folder, "data").rglob("*") if path.is_file()]
    return [path.name for path in files if words.encode() in path.read_bytes()]


def seen(gateway: Gateway, words: str) -> list[str]:
    """The doors behind which the words are still found."""
    paths = ["messages", "messages?limit=300", "log.txt", "messages?q=hunter2", "messages?around=2", "paste/2"]
    return [path for path in paths if words.encode() in request(gateway.web, "GET", f"/r/lobby/{path}").body]


@pytest.mark.timeout(120)
def test_a_text_taken_back_is_in_no_file_also_after_a_kill(start: Start) -> None:
    gateway = start(*NO_PACE)
    with Terminal(gateway.tcp) as ana, Browser(gateway.web, nick="eve") as eve, Terminal(gateway.tcp) as bob:
        bob.named("bob")
        ana.named("ana").send("before", f"{SECRET} one", *[f"after {number} {'x' * 700}" for number in range(200)])
        eve.until(lambda each: str(each.get("text", "")).startswith("after 199"))
        until(lambda: "messages?q=hunter2" in seen(gateway, SECRET), "the text is found")
        assert held(gateway, SECRET)
        ana.send("/delete 2")
        bob.until("-- message 2 was removed: removed")
        assert eve.next("redacted")["seq"] == 2
        until(lambda: not held(gateway, SECRET), "the text has left the files")
        assert seen(gateway, SECRET) == []

        ana.send(f"{SECRET} two")
        eve.until(lambda each: each.get("text") == f"{SECRET} two")
        ana.send("/delete")
        bob.until("-- message 203 was removed: removed")
        gateway.kill()
    gateway.start()
    until(lambda: not held(gateway, SECRET), "the text has left the files")
    assert seen(gateway, SECRET) == []
    page = request(gateway.web, "GET", "/r/lobby/messages").json
    assert [each["redacted"] for each in page["messages"] if each["text"] == ""] == ["removed", "removed"]
    assert page["messages"][-1]["seq"] == 203
    assert "Traceback" not in gateway.stderr and SECRET not in gateway.stderr
    gateway.stop()
    assert held(gateway, SECRET) == []


@pytest.mark.parametrize("netcat", ["nc.openbsd -N", "nc.traditional -q 1"])
def test_a_trace_is_piped_as_one_message(shared: Gateway, netcat: str, tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text(TRACE + "\n")
    pipe = f"(echo /paste; cat {shlex.quote(str(tmp_path / 'trace.txt'))}) | {netcat} 127.0.0.1 {shared.tcp}"
    with Terminal(shared.tcp) as bob:
        bob.named("bob-" + netcat[3])
        subprocess.run(["sh", "-c", pipe], stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)
        line = bob.until(r"1,192 more lines: curl ")[-1]
        address = re.fullmatch(
            r"guest-[0-9a-f]{4}\| … 1,192 more lines: curl (http://127\.0\.0\.1:(\d+)(/r/lobby/paste/\d+))", line
        )
        assert address is not None, line
        assert int(address[2]) == shared.web
        assert request(shared.web, "GET", address[3]).body.decode() == TRACE
