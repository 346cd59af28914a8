"""The table of connections as a file."""

import csv
import io
import json
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from tests.web.admin.test_pages import log_in
from tests.web.running_door import Running
from tests.web.tables.test_connections import API, Http, get, join


async def test_the_table_as_csv_has_no_formulas(web: Running, http: Http) -> None:
    await log_in(web, http)
    for nick, agent in (("ana", "=cmd|' /C calc'!A0"), ("bo", '\uff20"x",\ny'), ("cy", None)):
        session = join(web.chat, nick, behind=300)
        session.arrival = replace(session.arrival, agent=agent)
    async with http.get(f"{web.url}{API}.csv", params={"sort": "nick", "q": "-cy"}) as answer:
        assert answer.status == 200 and answer.headers["Content-Disposition"].startswith("attachment; filename=")
        ana, bo = csv.DictReader(io.StringIO(await answer.text(), newline=""))
    assert (ana["nick"], ana["agent"], ana["lag_bytes"]) == ("ana", "'=cmd|' /C calc'!A0", "300")
    assert (bo["agent"], bo["reason"]) == ('\'\uff20"x",\ny', "")


async def test_the_table_as_json_lines_is_whole(web: Running, http: Http) -> None:
    await log_in(web, http)
    for number in range(250):
        join(web.chat, f"n{number:03}")
    async with http.get(f"{web.url}{API}.jsonl", params={"sort": "-nick"}) as answer:
        rows = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [row["nick"] for row in rows] == [f"n{number:03}" for number in reversed(range(250))]
    await get(web, http, f"{API}.jsonl", status=400, limit="5")
    await get(web, http, f"{API}.csv", status=400, q="dor:web")


async def test_an_answer_that_fails_in_its_middle_ends(
    web: Running, http: Http, monkeypatch: pytest.MonkeyPatch, expected_errors: list[str]
) -> None:
    expected_errors.append("failed in its middle")
    await log_in(web, http)
    join(web.chat, "ana")

    def broken(rows: Any) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.web.tables.download.json_lines", broken)
    async with http.get(f"{web.url}{API}.jsonl") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
