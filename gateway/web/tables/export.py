"""A table as a file: CSV for spreadsheets, JSON lines for scripts."""

import csv
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A cell that begins so is a formula to a spreadsheet, to some also in full width; a quote before it makes it text."""

_encode_lines = msgspec.json.Encoder().encode_lines

Slices = AsyncIterator[Sequence[Any]]
Format = Callable[[Sequence[Any], Sequence[str]], bytes]


def csv_lines(rows: Sequence[Any], columns: Sequence[str]) -> bytes:
    """Rows as CSV (RFC 4180, UTF-8)."""
    out = io.StringIO()
    csv.writer(out).writerows([_cell(getattr(row, column)) for column in columns] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def json_lines(rows: Sequence[Any], columns: Sequence[str]) -> bytes:
    """Rows as JSON, one a line."""
    return _encode_lines(rows)


def head_of_csv(columns: Sequence[str]) -> bytes:
    """The first line."""
    return (",".join(columns) + "\r\n").encode()


async def send(
    request: web.Request, name: str, columns: Sequence[str], slices: Slices, content_type: str, lines: Format
) -> web.StreamResponse:
    """Answer with a file whose name begins with `name`, slice by slice, as fast as the peer takes it."""
    response = web.StreamResponse()
    response.content_type = content_type
    response.charset = "utf-8"
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    ending = request.path.rpartition(".")[2]
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{moment}.{ending}"'
    await response.prepare(request)
    if lines is csv_lines:
        await response.write(head_of_csv(columns))
    async for rows in slices:
        await response.write(lines(rows, columns))
    await response.write_eof()
    return response


def _cell(value: Any) -> str:
    if value is None or value is UNSET:
        return ""
    if isinstance(value, tuple):
        value = " ".join(value)
    elif isinstance(value, bool):
        value = "yes" if value else "no"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
