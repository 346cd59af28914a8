"""Scripts and styles as they travel: without comments and indentation, and a style with those it begins with.

What is stripped stands on lines of its own, so no text inside a line is touched. Notices of a licence (`/*!`) stay.
"""

import re
from collections.abc import Mapping

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
