"""A bar on standard error while a run lasts; nothing where standard error is not a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gateway.bench.load import Progress as Tell

REDRAW_SECONDS = 0.25


@contextmanager
def progress_bar(title: str) -> Iterator[Tell]:
    """Gives a function `tell(what, share)`: cheap enough to be called in every turn of a loop.

    The bar is redrawn from that call only: a thread of its own would disturb what is measured.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(title, total=1.0)
        drawn = 0.0

        def tell(what: str, share: float) -> None:
            nonlocal drawn
            now = time.monotonic()
            if now - drawn >= REDRAW_SECONDS:
                drawn = now
                bar.update(task, description=f"{title}: {what}", completed=share, refresh=True)

        yield tell
