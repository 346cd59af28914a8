"""`login-link` and `status` when they find something that is not a gateway: one clear line each."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateway.cli.main import main

WRONG_ANSWERS = {
    "words": (200, b"hello"),
    "a redirect": (302, b""),
    "a list": (200, b"[]"),
    "an error of another kind": (500, b'{"error":"no"}'),
    "another object": (200, b'{"health":1}'),
    "brackets without end": (200, b"[" * 200_000),
    "bytes": (200, b"\xff\xfe\x00"),
}
COMMANDS = (["status"], ["login-link"])


@contextmanager
def somebody(status: int, body: bytes) -> Iterator[str]:
    """A server that always answers the same; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *words: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that was printed, on standard error."""
    out, words = capsys.readouterr()
    assert out == "" and words.startswith("gateway: ") and words.count("\n") == 1, words
    return words


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("answer", WRONG_ANSWERS)
def test_another_service_on_the_port_is_no_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], answer: str
) -> None:
    """After an unclean end running.json stays, and the port may be anybody's (WGDashboard#723 and its like)."""
    with somebody(*WRONG_ANSWERS[answer]) as page:
        (tmp_path / "running.json").write_text(json.dumps({"page": page, "secret": "s"}))
        assert main([*command, "--data", str(tmp_path)]) == 1
    assert page in one_line(capsys)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "content", ["", "null", "[]", "5", '"x"', "{}", '{"page":5,"secret":1}', '{"page":"http://h/"}', "\xff", "[" * 9999]
)
def test_a_file_that_no_gateway_wrote_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], content: str
) -> None:
    """A full disk or a hard reset leaves empty and half files."""
    (tmp_path / "running.json").write_text(content, encoding="latin-1")
    assert main([*command, "--data", str(tmp_path)]) == 1
    assert "running.json: it was not written by a gateway" in one_line(capsys)


@pytest.mark.parametrize("page", ["http://127.0.0.1:x/", "http://[::1", "http://127.0.0.1:1/ a", "ftp://", ""])
def test_a_malformed_address_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], page: str) -> None:
    (tmp_path / "running.json").write_text(json.dumps({"page": page, "secret": "a\nb"}))
    assert main(["status", "--data", str(tmp_path)]) == 1
    assert "does not answer" in one_line(capsys)
