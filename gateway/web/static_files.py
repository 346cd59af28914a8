"""The static files: read once, named by a hash of them all, so that a browser may keep them for ever.

One hash for the whole folder: scripts import each other by plain relative names, and a page never mixes versions.

Scripts and styles as they travel: without comments and indentation, and a style with those it begins with.

What is stripped stands on lines of its own, so no text inside a line is touched. Notices of a licence (`/*!`) stay.
"""

import hashlib
import mimetypes
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

_BLOCK = re.compile(r"^[ \t]*/\*(?!!).*?\*/[ \t]*\n", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)
_MARGIN = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
_IMPORT = re.compile(r'^@import "\./([\w.-]+)";\n', re.MULTILINE)


def lean(name: str, files: Mapping[str, bytes]) -> bytes:
    """The file `name` as it travels."""
    if not name.endswith((".js", ".css")) or "/" in name:
        return files[name]
    text = files[name].decode()
    text = _LINE.sub("", text) if name.endswith(".js") else _IMPORT.sub(lambda found: files[found[1]].decode(), text)
    return _MARGIN.sub("", _BLOCK.sub("", text)).encode()


FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}
_TEXTS = frozenset((*_TYPES.values(), "text/plain"))


def _read(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {name: lean(name, files) for name in files}


class Assets:
    """All files of one folder. Only what was there at the start is ever served."""

    def __init__(self, folder: Path) -> None:
        self._files = _read(folder)
        self._zipped: dict[str, bytes] = {}
        digest = hashlib.blake2b(digest_size=8)
        for name, body in self._files.items():
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
        self.version = digest.hexdigest()

    def link(self, name: str) -> str:
        """The path under which a page links `name`. An unknown name is a mistake in a template: KeyError."""
        if name not in self._files:
            raise KeyError(f"no static file {name!r}")
        return f"/static/{self.version}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """`GET /static/{hash}/{name}`"""
        name = request.match_info["name"]
        body = self._files.get(name)
        if body is None or request.match_info["hash"] != self.version:
            raise web.HTTPNotFound
        suffix = Path(name).suffix
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if kind in _TEXTS and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = self._zip(name, body)
        charset = "utf-8" if kind in _TEXTS else None
        return web.Response(body=body, content_type=kind, charset=charset, headers=headers)

    def _zip(self, name: str, body: bytes) -> bytes:
        """The gzip form, made when it is first asked for."""
        if name not in self._zipped:
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            self._zipped[name] = packer.compress(body) + packer.flush()
        return self._zipped[name]
