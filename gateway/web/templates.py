"""The HTML pages, rendered from jinja2 templates.

The wheel has the folder templates/ inside the package, a checkout beside it.
"""

import asyncio
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gateway.errors import StartError
from gateway.web.static_files import Assets
from gateway.web.tables.columns import cells, written
from gateway.web.tables.paging import Slices

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
STATIC = PACKAGE / "web" / "static"


def templates(package: Path = PACKAGE) -> Path:
    """The folder of the page templates. Raises StartError when there is none."""
    checkout = package.parent
    if (package / "templates").is_dir():
        return package / "templates"
    if (checkout / "pyproject.toml").is_file() and (checkout / "templates").is_dir():
        return checkout / "templates"
    raise StartError(f"the page templates are missing, neither in {package} nor beside it: install the gateway again")
