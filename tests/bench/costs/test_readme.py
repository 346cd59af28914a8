"""Tables of measurements in the README: each has one place, and only what stands there is replaced."""

from pathlib import Path

import pytest

from tests.bench.costs import readme


@pytest.mark.parametrize("marks", [readme.SIDE_BY_SIDE, readme.GROWTH, readme.FEATURES])
def test_the_readme_has_one_place_for_each_table(marks: readme.Marks) -> None:
    text = readme.README.read_text("utf-8")
    assert text.count(marks.begin) == text.count(marks.end) == 1
    assert text.index(marks.begin) < text.index(marks.end)


def test_tables_go_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{readme.GROWTH.begin}old\n{readme.GROWTH.end}after\n")
    readme.replace(readme.GROWTH, readme.table(("a", "b"), [("1", "2")]), page)
    assert page.read_text() == (
        f"before\n{readme.GROWTH.begin}| a | b |\n| --- | --- |\n| 1 | 2 |\n{readme.GROWTH.end}after\n"
    )
    with pytest.raises(ValueError, match="no <!-- features -->"):
        readme.replace(readme.FEATURES, [], page)
