"""Scripts are joined per page, and every module keeps its names to itself."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.web.options import STATIC_DIR
from gateway.web.static_files import Assets, Scripts
from tests.programs import PROGRAMS

FILES = {
    "page/main.js": """\
import { one } from "./inner/one.js";
import * as two from "../two.js";
import "./inner/three.js";
const name = "main";
const later = () => import("./inner/later.js");
globalThis.all = [name, one(), two.two];
""",
    "page/inner/one.js": 'import { two as second } from "../../two.js";\nconst name = "one";\n'
    "export function one() { return name + second; }\n",
    "page/inner/three.js": "const name = 3;\n",
    "page/inner/later.js": 'import { two } from "../../two.js";\nimport { far } from "./far.js";\n'
    "export const found = two + far;\n",
    "page/inner/far.js": "export const far = 9;\n",
    "two.js": 'const name = "two";\nexport const two = name;\n',
    "old.js": '"use strict";\n',
}


def served(files: dict[str, str]) -> dict[str, str]:
    return dict(Scripts(files).served())


def test_an_entry_is_served_with_all_that_it_imports() -> None:
    files = served(FILES)

    assert set(files) == {"page/main.js", "page/inner/later.js", "page/inner/far.js", "old.js"}
    begins = [line for line in files["page/main.js"].splitlines() if line.startswith("// --- ")]
    assert begins == [
        f"// --- {name}" for name in ("two.js", "page/inner/one.js", "page/inner/three.js", "page/main.js")
    ]
    assert files["old.js"] == FILES["old.js"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node comes with TypeScript")
def test_a_joined_page_runs_and_what_is_fetched_later_shares_its_modules(tmp_path: Path) -> None:
    for name, text in served(FILES).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "package.json").write_text('{"type":"module"}')
    (tmp_path / "start.js").write_text(
        "import { $two } from './page/main.js';"
        "const { found } = await import('./page/inner/later.js');"
        "console.log(JSON.stringify([...all, found, $two.two]));"
    )

    told = subprocess.run(["node", tmp_path / "start.js"], capture_output=True, text=True, check=True).stdout

    assert json.loads(told) == ["main", "onetwo", "two", "two9", "two"]


def test_a_dynamic_import_leads_where_its_module_meant() -> None:
    files = served({"a.js": 'import "./b/c.js";\n', "b/c.js": 'import("./d.js");\n', "b/d.js": "1;\n"})

    assert 'import("./b/d.js")' in files["a.js"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.js": 'import "./b.js";\n', "b.js": 'import "./c.js";\n', "c.js": 'import "./b.js";\n'}, "circle"),
        ({"a.js": 'import "./b.js";\n'}, "not there"),
        ({"a.js": 'import "./b.js";\n', "b.js": "export let c = 1;\n"}, "cannot be joined"),
        ({"a.js": 'import b from "./b.js";\n', "b.js": "1;\n"}, "no default export"),
        ({"a.js": 'import("./c.js");\n', "b.js": 'import("./c.js");\n', "c.js": "1;\n"}, "two pages"),
    ],
)
def test_what_cannot_be_joined_is_told_at_the_start(files: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        served(files)


def test_every_room_of_the_scripts_has_a_handful_of_short_files() -> None:
    scripts = [path for path in STATIC_DIR.rglob("*.js") if path.parent.name != "vendor"]

    assert [path.name for path in scripts if len(path.read_text().splitlines()) > 300] == []
    counts = {
        folder: sum(path.parent == folder for path in STATIC_DIR.rglob("*.*")) for folder in {p.parent for p in scripts}
    }
    assert all(3 <= count <= 15 for count in counts.values()), counts


def test_pages_link_scripts_that_exist() -> None:
    assets = Assets(STATIC_DIR)
    for name in ("chat/chat.js", "admin/dashboard.js", "admin/list.js", "shared/theme.js"):
        assert assets.link(name).endswith(name)
    with pytest.raises(KeyError):
        assets.link("chat/page.js")


def test_the_scripts_are_typed() -> None:
    if PROGRAMS["tsc"].path is None:
        pytest.skip("TypeScript is not installed")
    told = subprocess.run(["tsc", "--project", Path(__file__).parent], capture_output=True, text=True, check=False)
    assert told.stdout == "" and told.returncode == 0
