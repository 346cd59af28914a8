"""What measures puts its tables into the README, each between its own two marks, in the place of the last ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"
PICTURES = ROOT / ".github" / "pictures"


class Marks(NamedTuple):
    """The lines between which something stands."""

    begin: str
    end: str


SIDE_BY_SIDE = Marks("<!-- side by side -->\n", "<!-- end of side by side -->\n")
GROWTH = Marks("<!-- growth -->\n", "<!-- end of growth -->\n")
FEATURES = Marks("<!-- features -->\n", "<!-- end of features -->\n")


def replace(marks: Marks, lines: Sequence[str], path: Path = README) -> None:
    """Put the lines between the marks. Raises ValueError when the marks are not there."""
    before, begin, rest = path.read_text("utf-8").partition(marks.begin)
    _, end, after = rest.partition(marks.end)
    if not begin or not end:
        raise ValueError(f"{path.name} has no {marks.begin.strip()} … {marks.end.strip()}")
    path.write_text(before + begin + "\n".join(lines) + "\n" + end + after, "utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
