"""From `gateway passwd` to a kick and out again, with the real program and curl."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.bridge.gateways import ROOT, Gateway, Start
from tests.bridge.peers import Terminal
from tests.fakes import PATIENCE, until

PASSWORD = "correct-horse-battery"


def gateway_says(*words: str, stdin: str = "") -> str:
    """What the program prints."""
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(
        command, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout.strip()


class Curl:
    """curl with a cookie jar. `status` is the last answer's."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self._url = f"http://127.0.0.1:{gateway.web}"
        self._jar = str(folder / "jar")
        self.status = 0

    def __call__(self, path: str, *arguments: str) -> str:
        command = ["curl", "-s", "-m", "20", "-b", self._jar, "-c", self._jar, "-w", "\n%{http_code}"]
        done = subprocess.run(
            [*command, *arguments, self._url + path], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        body, _, status = done.stdout.rpartition("\n")
        self.status = int(status)
        return body


def test_a_password_opens_the_dashboard_to_kick_and_to_leave(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'[admin]\npassword_hash = "{gateway_says("passwd", stdin=PASSWORD)}"\n')
    gateway = start("--config", config)
    assert "token=" not in gateway.stdout
    curl = Curl(gateway, tmp_path)
    credentials = ("--data-urlencode", "name=admin", "--data-urlencode")

    curl("/admin/login", *credentials, "password=wrong")
    assert curl.status == 403
    curl("/admin/login", *credentials, f"password={PASSWORD}")
    assert curl.status == 303
    found = re.search(r'name="csrf-token" content="([^"]+)"', curl("/admin"))
    assert found is not None
    csrf = f"X-CSRF-Token: {found[1]}"
    with Terminal(gateway.tcp) as terminal:
        terminal.until("/help")
        (row,) = json.loads(curl("/admin/api/connections"))["connections"]
        curl(f"/admin/api/connections/{row['id']}", "-X", "DELETE")
        assert curl.status == 403, "without the CSRF token"
        curl(f"/admin/api/connections/{row['id']}", "-X", "DELETE", "-H", csrf)
        assert curl.status == 200
        terminal.until("!! kicked")

    curl("/admin/logout", "--data-urlencode", f"csrf={found[1]}")
    assert curl.status == 303
    curl("/admin/api/connections")
    assert curl.status == 401
    with Terminal(gateway.tcp) as terminal:
        terminal.send("/login wrong words", f"/login {PASSWORD}")
        terminal.until("!! forbidden: wrong name or password")
        terminal.until("you are admin, admin")
    until(lambda: gateway.stderr.count('source="tcp 127.0.0.1" action="login"') == 2, "both are logged")
    assert "token=" in gateway_says("login-link", "--data", str(gateway.folder / "data"))
    assert PASSWORD not in gateway.stderr and found[1] not in gateway.stderr
    for action in ("login", "logout"):
        assert f'who="admin" source="web 127.0.0.1" action="{action}"' in gateway.stderr


def test_an_account_without_a_right_hash_keeps_it_from_starting(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'[admin]\npassword_hash = "{PASSWORD}"\n')
    command = [sys.executable, "-m", "gateway", "--config", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)

    assert (done.returncode, done.stdout) == (78, "")
    assert "`gateway passwd`" in done.stderr and PASSWORD not in done.stderr


def kept_csrf(curl: Curl) -> str:
    """The CSRF header of a logged-in operator."""
    page = curl("/admin")
    found = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert found is not None, f"not logged in: {curl.status} {page[:300]}"
    return f"X-CSRF-Token: {found[1]}"


def test_a_restart_and_a_kill_log_nobody_out_and_a_logout_lasts(start: Start, tmp_path: Path) -> None:
    gateway = start()
    curl = Curl(gateway, tmp_path)
    link = until(lambda: re.search(r"login\?token=(\S+)\n", gateway.stdout), "the link is printed")
    curl("/admin/login", "--data-urlencode", f"token={link[1]}")
    before = kept_csrf(curl)
    secret = (tmp_path / "jar").read_text().split()[-1]

    gateway.restart()
    assert kept_csrf(curl) == before
    gateway.kill()
    gateway.start()
    announcement = ("-H", before, "--json", '{"text":"back again"}')
    curl("/admin/api/announce", *announcement)
    assert curl.status == 200

    files = [path.read_bytes() for path in (gateway.folder / "data").iterdir()]
    assert not any(secret.encode() in content or before[14:].encode() in content for content in files)
    curl("/admin/logout", "-X", "POST", "-H", before)
    gateway.restart()
    (tmp_path / "jar").write_text(f"127.0.0.1\tFALSE\t/\tFALSE\t0\tgateway_session\t{secret}\n")
    curl("/admin/api/announce", *announcement)
    assert curl.status == 401


def test_an_account_that_changes_while_the_gateway_is_down_is_logged_out(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    account = f'[admin.accounts.ana]\nrole = "admin"\nhash = "{gateway_says("passwd", stdin=PASSWORD)}"\n'
    config.write_text(account)
    gateway = start("--config", config)
    curl = Curl(gateway, tmp_path)
    curl("/admin/login", "--data-urlencode", "name=ana", "--data-urlencode", f"password={PASSWORD}")
    kept_csrf(curl)
    gateway.restart()
    kept_csrf(curl)

    gateway.stop()
    config.write_text(account.replace('"admin"', '"viewer"'))
    gateway.start()

    curl("/admin/api/connections")
    assert curl.status == 401
