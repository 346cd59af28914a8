"""A gateway that runs on a data folder, as far as the commands on the store see one."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

Answer = tuple[int, dict[str, Any]]


class FakeGateway:
    """A page that answers what `answers` says: for a method and path the answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, Any]] = []
        """Each request's method and path, and its body."""
        self.on_request: Callable[[str, Any], object] = lambda what, body: None
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
                status, said = gateway.answer(f"{self.command} {self.path}", body)
                content = json.dumps(said).encode()
                self.send_response(status if self.headers["Authorization"] == "Bearer secret" else 401)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_DELETE = do_GET

            def log_message(self, *words: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, what: str, body: Any) -> Answer:
        self.asked.append((what, body))
        self.on_request(what, body)
        answers = self.answers[what]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def runs_on(self, folder: Path) -> None:
        """Leave the file by which it is found."""
        page = f"http://127.0.0.1:{self.server.server_port}/"
        (folder / "running.json").write_text(json.dumps({"page": page, "secret": "secret"}))


@pytest.fixture
def running() -> Iterator[FakeGateway]:
    gateway = FakeGateway()
    with gateway.server as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield gateway
        server.shutdown()
        thread.join()
