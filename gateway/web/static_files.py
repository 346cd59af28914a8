"""What the browser is served from files: scripts, styles and other assets, and the HTML pages that link them.

`Assets` are read once and named by a hash of them all, so that a browser may keep them forever. `Pages` are
rendered from jinja2 templates. A wheel has the folder templates/ inside the package, a checkout beside it.

Scripts are written as small ES modules. A page would need one request for each of them, so they are joined here:

- A script that no other script imports is an entry: a page links it. It is served together with everything it imports,
  directly or not, as one file. Each module is a function there, so that its names are its own; the line
  `const $log = …` tells a reader of the browser's console where chat/rooms/log.js begins.
- What a module fetches with `import("./x.js")` stays a file of its own. Where that file imports a module that its page
  already has, it gets the page's: a module never runs twice. So such a file belongs to exactly one entry.
- A script without imports that no script imports (an old-style script, a vendor's library) is served as it is.

Only the forms of import and export that the scripts use are understood; any other raises ValueError (tests see it).

Scripts and styles are served without comments, indentation and most blanks, and each style together with the styles
that it begins by importing and the declarations that older browsers need. Texts in quotes are left as they are: none
goes over several lines. Licence notices (`/*!`) stay.
"""

import asyncio
import hashlib
import mimetypes
import posixpath
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gateway import wording
from gateway.errors import StartError
from gateway.web.http.header_lists import takes_gzip
from gateway.web.tables.columns import cells, written
from gateway.web.tables.paging import Slices

FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}
_TEXTS = frozenset((*_TYPES.values(), "text/plain"))
VENDOR = "vendor/"
"""Vendored files are served as they are."""

_BLOCK = re.compile(r"^[ \t]*/\*(?!!).*?\*/[ \t]*\n", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)
_TRAILING = re.compile(r"[ \t]+// [^\"'`\n]*$", re.MULTILINE)
"""A comment behind code. No text inside a line matches: it would have to end on that line, with a quote."""
_TYPE = re.compile(r"/\*\* @type [^\n]*?\*/ ?")
"""The type of a parameter or a value, between code."""
_MARGIN = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
_STYLE_IMPORT = re.compile(r'^@import "(\.[^"]+)";\n', re.MULTILINE)
_SILENT = re.compile(r'content: ("[^"]*") / "";')
"""A glyph that is not read aloud. Browsers from before 2024 know no such alternative, and would draw nothing."""
_TEXT_OR_BLANKS = re.compile(r"""("(?:[^"\\\n]|\\.)*"|`[^`]*`)| *([={}()\[\];,:?&|<>*!]+) *""")
"""Blanks around signs in a script. Not around + and -, two of which may be one sign without them."""
_NESTED = re.compile(r"`[^`]*`[^`]*`")
_HARD = re.compile(r"['/]")
"""What may begin a text with double quotes in it, a pattern or a comment; and what may be a template in another: such a
line stays. The former is looked for outside of the line's texts: a pattern or comment would have to begin there too."""
_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_STYLE_BLANKS = re.compile(r"""("[^"\n]*"|: ;)| *([{};,>]) *|(?<=[\w-]): (?!;)""")
_IMPORT = re.compile(r'^import (?:(\{[^}]*\}|\* as \w+|\w+) from )?"(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
_LATER = re.compile(r'\bimport\("(\.[^"]+)"\)')
_UNKNOWN = re.compile(r"^(?:import|export)\b[^(.].*", re.MULTILINE)


def _resolve(importer: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))


def without_comments(name: str, files: Mapping[str, bytes]) -> bytes:
    """The file `name` without comments and indentation."""
    if not name.endswith((".js", ".css")) or name.startswith(VENDOR):
        return files[name]
    text = files[name].decode()
    if name.endswith(".js"):
        text = _TYPE.sub("", _BLOCK.sub("", _TRAILING.sub("", _LINE.sub("", text))))
    else:
        text = _STYLE_IMPORT.sub(lambda found: files[_resolve(name, found[1])].decode(), text)
        text = _SILENT.sub(r"content: \1; \g<0>", text)
    return _MARGIN.sub("", _BLOCK.sub("", text)).encode()


def minified(name: str, text: str) -> str:
    """A script or a style of ours, as it is served, without blanks that mean nothing."""
    if name.startswith(VENDOR) or not name.endswith((".js", ".css")):
        return text
    if name.endswith(".css"):
        return _STYLE_BLANKS.sub(lambda found: found[1] or found[2] or ":", text)
    return "\n".join(map(_narrow, text.split("\n")))


def _narrow(line: str) -> str:
    if _NESTED.search(line) or _HARD.search(_TEXT.sub("", line)):
        return line
    return _TEXT_OR_BLANKS.sub(lambda found: found[1] or found[2], line)


class Scripts:
    """The scripts of a folder as a graph. `files` holds the text of each by its path, without comments."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._imports = {name: self._found(_IMPORT, 2, name) for name in files}
        self._later = {name: self._found(_LATER, 1, name) for name in files}
        imported = {path for paths in (*self._imports.values(), *self._later.values()) for path in paths}
        self._entries = {name: list(self._graph(name, ())) for name in files if name not in imported}
        self._home = self._homes()

    def served(self) -> Iterator[tuple[str, str]]:
        """Each file that can be asked for: its path and its text."""
        inner = {name for names in self._entries.values() for name in names}
        for name in self._files:
            if name in self._entries and self._imports[name]:
                yield name, self._join(name)
            elif name not in inner or name in self._entries:
                yield name, self._stand_alone(name)

    def _found(self, pattern: re.Pattern[str], group: int, name: str) -> list[str]:
        paths = [_resolve(name, found[group]) for found in pattern.finditer(self._files[name])]
        for path in paths:
            if path not in self._files:
                raise ValueError(f"{name} imports {path}, which is not there")
        return paths

    def _graph(self, name: str, above: tuple[str, ...]) -> Iterator[str]:
        """What `name` imports and then itself, each once and after what it needs."""
        if name in above:
            raise ValueError(f"scripts import each other in a circle: {' → '.join((*above, name))}")
        seen = set[str]()
        for path in self._imports[name]:
            for inner in self._graph(path, (*above, name)):
                if inner not in seen:
                    seen.add(inner)
                    yield inner
        yield name

    def _homes(self) -> dict[str, str]:
        """The entry to which each file that is fetched later belongs."""
        homes = dict[str, str]()
        for entry, names in self._entries.items():
            waiting = [path for name in names for path in self._later[name]]
            while waiting:
                name = waiting.pop()
                if name in names or homes.get(name) == entry:
                    continue
                if name in homes:
                    raise ValueError(f"{name} is fetched by two pages: {homes[name]} and {entry}")
                homes[name] = entry
                waiting += self._imports[name] + self._later[name]
        return homes

    def _join(self, entry: str) -> str:
        """An entry joined with everything it imports; it exports what files fetched later need of that."""
        names = self._entries[entry]
        if twice := [name for name, count in Counter(map(_constant, names)).items() if count > 1]:
            raise ValueError(f"{entry} joins two files of one name: {', '.join(twice)}")
        later = [name for name, home in self._home.items() if home == entry]
        shared = {path for name in later for path in self._imports[name] if path in names}
        parts = [self._as_function(name, entry) for name in names]
        if shared:
            parts.append(f"export {{ {', '.join(map(_constant, sorted(shared)))} }};\n")
        return "".join(parts)

    def _as_function(self, name: str, entry: str) -> str:
        text = self._files[name]
        names = _EXPORT.findall(text)
        text = _IMPORT.sub(lambda found: _bind(found[1], _constant(_resolve(name, found[2]))), text)
        text = _EXPORT.sub("", text)
        text = _LATER.sub(lambda found: f'import("{_relative(entry, _resolve(name, found[1]))}")', text)
        if unknown := _UNKNOWN.search(text):
            raise ValueError(f"{name}: cannot be joined: {unknown[0]}")
        result = f"return {{ {', '.join(names)} }};\n" if names else ""
        return f"const {_constant(name)} = (() => {{\n{text}{result}}})();\n"

    def _stand_alone(self, name: str) -> str:
        """A file that is fetched later; it imports from its page what the page already has."""
        home = self._home.get(name)
        inside = self._entries[home] if home else []

        def bind(found: re.Match[str]) -> str:
            path = _resolve(name, found[2])
            if home is None or path not in inside:
                return found[0]
            constant = _constant(path)
            return f'import {{ {constant} }} from "{_relative(name, home)}";\n{_bind(found[1], constant)}'

        return _IMPORT.sub(bind, self._files[name])


def _constant(name: str) -> str:
    """What a module is called in a joined file: `chat/rooms/log.js` is `$log`."""
    return "$" + re.sub(r"\W", "_", name.rpartition("/")[2].removesuffix(".js"))


def _bind(clause: str | None, constant: str) -> str:
    """The names of an import, taken out of a module that is in the same file."""
    if clause is None:
        return ""
    if clause.startswith("{"):
        return f"const {clause.replace(' as ', ': ')} = {constant};\n"
    if clause.startswith("*"):
        return f"const {clause.removeprefix('* as ')} = {constant};\n"
    raise ValueError(f"a module that is joined has no default export: {clause} of {constant}")


def _relative(importer: str, path: str) -> str:
    relative = posixpath.relpath(path, posixpath.dirname(importer) or ".")
    return relative if relative.startswith(".") else f"./{relative}"


def _sources(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def served_files(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files as they are served, from the files as they are written. Raises ValueError for scripts that cannot be
    joined."""
    files = {name: without_comments(name, sources) for name in sources}
    scripts = Scripts({name: body.decode() for name, body in files.items() if name.endswith(".js")})
    texts = {name: body.decode() for name, body in files.items() if name.endswith(".css")} | dict(scripts.served())
    others = {name: body for name, body in files.items() if not name.endswith((".js", ".css"))}
    return others | {name: minified(name, text).encode() for name, text in texts.items()}


class Assets:
    """All files of one folder, and others that are `made` for it, by their names, as they are served. Only what was
    there at the start is ever served. The scripts are joined when the first file is asked for, on a thread: a gateway
    starts in a fifth less time without that, and many are never asked for a page."""

    def __init__(self, folder: Path, made: Mapping[str, bytes] = MappingProxyType({})) -> None:
        self._sources = _sources(folder)
        self._made = made
        self._files: asyncio.Future[dict[str, bytes]] | None = None
        self._zipped: dict[str, bytes] = {}
        digest = hashlib.blake2b(Path(__file__).read_bytes(), digest_size=8)
        for name, body in (*self._sources.items(), *made.items()):
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
        self.version = digest.hexdigest()

    async def files(self) -> Mapping[str, bytes]:
        """The files as they are served."""
        if self._files is None:
            made = asyncio.to_thread(lambda: {**served_files(self._sources), **self._made})
            self._files = asyncio.ensure_future(made)
        return await asyncio.shield(self._files)

    def link(self, name: str) -> str:
        """The path under which a page links `name`. An unknown name is a mistake in a template: KeyError."""
        if name not in self._sources and name not in self._made:
            raise KeyError(f"no static file {name!r}")
        return f"/static/{self.version}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """`GET /static/{hash}/{name}`"""
        name = request.match_info["name"]
        body = (await self.files()).get(name)
        if body is None or request.match_info["hash"] != self.version:
            raise web.HTTPNotFound
        suffix = Path(name).suffix
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if kind in _TEXTS and takes_gzip(request.headers):
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


PIECES = 50
"""Pieces of a page between two looks at the clock."""


class Pages:
    """Renders templates. What a template may use beside its context: `static(name)`, the path of a static file,
    `base`, which stands before every other path (`WebOptions.base_path`), and how values are written: `cells` and the
    filter `written`."""

    def __init__(self, folder: Path, assets: Assets, base: str = "") -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )
        self._environment.globals["base"] = base
        self._environment.globals["static"] = lambda name: base + assets.link(name)
        self._environment.globals["cells"] = cells
        self._environment.filters["written"] = written
        self._compiling: asyncio.Future[list[Template]] | None = None

    def answer(self, template: str, status: int = 200, **context: object) -> web.Response:
        """The page as a response that must not be cached, because it may be out of date a second later."""
        return self._page(self._environment.get_template(template).render(context, status=status), status)

    async def answer_in_slices(self, template: str, **context: object) -> web.Response:
        """The same for pages that take long: rendered in slices, between which others are served."""
        await self._compiled()
        slices, pieces = Slices(), list[str]()
        for piece in self._environment.get_template(template).generate(context):
            pieces.append(piece)
            if len(pieces) % PIECES == 0:
                await slices.turn()
        return self._page("".join(pieces), 200)

    def _page(self, text: str, status: int) -> web.Response:
        headers = {"Cache-Control": "no-cache"}
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)

    async def _compiled(self) -> None:
        """Wait until all templates are compiled: half a second of work, done once, in a thread, so that it blocks
        nobody."""
        if self._compiling is None:
            loop, environment = asyncio.get_running_loop(), self._environment
            names = environment.list_templates()
            self._compiling = loop.run_in_executor(None, lambda: [environment.get_template(name) for name in names])
        await asyncio.shield(self._compiling)


PACKAGE = Path(__file__).resolve().parents[1]


def templates(package: Path = PACKAGE) -> Path:
    """The folder of the page templates. Raises StartError when there is none."""
    checkout = package.parent
    if (package / "templates").is_dir():
        return package / "templates"
    if (checkout / "pyproject.toml").is_file() and (checkout / "templates").is_dir():
        return checkout / "templates"
    raise StartError(wording.TEMPLATES_MISSING.format(folder=package))
