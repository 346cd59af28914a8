"""Scripts are joined per page, and every module keeps its names to itself; words for people are in words.js."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.web.settings import STATIC_DIR
from gateway.web.static_files import VENDOR, Assets, Scripts, minified, served_files, without_comments
from tests.suite.programs import PROGRAMS
from tests.web.declarations import FILE, declarations

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
    begins = [line for line in files["page/main.js"].splitlines() if line.startswith("const $")]
    assert begins == [f"const ${name} = (() => {{" for name in ("two", "one", "three", "main")]
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
        ({"a.js": 'import "./b/d.js";\nimport "./c/d.js";\n', "b/d.js": "1;\n", "c/d.js": "2;\n"}, "one name"),
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


async def test_what_pages_link_is_served() -> None:
    assets = Assets(STATIC_DIR)
    files = await assets.files()
    linked = {
        name
        for template in (Path(__file__).parents[2] / "templates").rglob("*.html")
        for call in re.findall(r"static\(([^)]*)\)", template.read_text("utf-8"))
        for name in re.findall(r"'([^']+\.\w+)'", call)
    }
    assert {"chat/chat.js", "admin/dashboard.js", "admin/list.js", "shared/theme.js"} <= linked <= files.keys()
    assert all(assets.link(name).endswith(name) for name in linked)
    with pytest.raises(KeyError):
        assets.link("chat/absent.js")


async def test_scripts_are_joined_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def count(sources: Mapping[str, bytes]) -> dict[str, bytes]:
        made.append(len(sources))
        return served_files(sources)

    monkeypatch.setattr("gateway.web.static_files.served_files", count)
    assets = Assets(STATIC_DIR, {"made.txt": b"made"})
    assert not made
    first, second = await asyncio.gather(assets.files(), assets.files())
    assert first is second and first["made.txt"] == b"made" and len(made) == 1


def test_blanks_go_only_where_they_mean_nothing() -> None:
    script = """const a = [1, -b, "x = { y }", `${c} = { d }`];
if (a in !b) return a + +b - -c;
text = text.replace(/ , /g, " ; ") ? 'a = "b ; ' : `a ${b ? ` ; ` : ""} ; c`;
"""
    assert minified("a.js", script).split("\n")[:-1] == [
        'const a=[1,-b,"x = { y }",`${c} = { d }`];',
        "if(a in!b)return a + +b - -c;",
        script.split("\n")[2],
    ]
    assert minified("a.js", 'const at = "/r/" + `/${ room }`;') == 'const at="/r/" + `/${ room }`;'
    style = 'a > b, c :is(d) { --empty: ; content: "a ; b"; width: calc(1px + 2px) }'
    assert minified("a.css", style) == 'a>b,c :is(d){--empty: ; content:"a ; b";width:calc(1px + 2px)}'
    assert minified("vendor/a.js", script) == script


def test_no_text_of_a_script_goes_over_several_lines() -> None:
    """Blanks at the ends of lines are taken away, and would be missing in it."""
    for path in OWN_SCRIPTS:
        for line in path.read_text().splitlines():
            assert line.strip().startswith(("*", "//", "/*")) or re.sub(r'"[^"]*"', "", line).count("`") % 2 == 0, (
                f"{path}: {line}"
            )


def test_older_browsers_draw_a_glyph_that_is_not_to_be_read_aloud() -> None:
    assert b'content: "x"; content: "x" / "";' in without_comments(
        "a.css", {"a.css": b'b::before { content: "x" / ""; }'}
    )


def test_styles_need_no_newer_colours_than_the_oldest_browsers_have() -> None:
    """Safari before 17.5 and Firefox before 120 would draw black on black."""
    for name in ("shared/base.css", "shared/docs.css", "chat/chat.css", "chat/later/later.css", "admin/admin.css"):
        style = re.sub(r"/\*.*?\*/", "", (STATIC_DIR / name).read_text(), flags=re.DOTALL)
        assert not re.search(r"light-dark\(|color-mix\(", style), name


OWN_SCRIPTS = [path for path in STATIC_DIR.rglob("*.js") if path.relative_to(STATIC_DIR).parts[0] + "/" != VENDOR]
TEXT = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`([^`\n]*)`')
SENTENCE = re.compile(r"[^\W\d_][.,:;!?…]* [^\W\d_]")
SHOWN = re.compile(
    r'(?:textContent|title|placeholder) = ["`]\w|"aria-label", ["`]\w|make\((?:"\w*", ){2}["`]\w|\}, "\w+"\)'
)
"""A single word that is put on the page."""
SELECTOR = re.compile(r"[#.(]|color-mix\(|(?:a|input)\b[^ ]*, ")
NOT_READ = {
    "only the dashboard bans it",  # of the server, looked for in a refusal
    "noopener noreferrer",  # of the language of links
    "11px system-ui",  # a font
    "use strict",
}


def test_what_people_read_stands_in_the_tables_of_words() -> None:
    styles = " ".join(path.read_text() for path in STATIC_DIR.rglob("*.css"))
    classes = set(re.findall(r"\.([a-z][\w-]*)", styles)) | {"day", "log", "own"}
    for path in OWN_SCRIPTS:
        if path.name == "words.js":
            continue
        name = path.relative_to(STATIC_DIR).as_posix()
        script = without_comments(name, {name: path.read_bytes()}).decode()
        assert SHOWN.findall(script) == [], name
        for found in TEXT.finditer(script):
            text = re.sub(r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)?\}", "0", found[1] or found[2] or "")
            known = found[1] in NOT_READ or SELECTOR.match(text) or set(text.split()) <= classes
            assert known or not SENTENCE.search(text), f"{name}: {found[0]}"


def test_the_checker_of_the_scripts_knows_what_the_server_sends() -> None:
    assert FILE.read_text(encoding="utf-8") == declarations(), "python -m tests.web.declarations"


def test_the_scripts_are_typed() -> None:
    if PROGRAMS["tsc"].path is None:
        pytest.skip("TypeScript is not installed")
    told = subprocess.run(["tsc", "--project", Path(__file__).parent], capture_output=True, text=True, check=False)
    assert told.stdout == "" and told.returncode == 0
