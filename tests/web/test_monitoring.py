"""/metrics as Prometheus reads it, figures over time, health, and who may see them."""

import json
import re
from itertools import count

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.stats.health import Ceilings, Reading
from gateway.core.stats.timeseries import STEPS
from gateway.errors import Code, Refusal
from gateway.web.monitoring import GRAFANA
from tests.web.admin.test_pages import log_in
from tests.web.running_door import Running, Start

Http = aiohttp.ClientSession
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
READING = Reading(lates=[0.002], rss_bytes=50_000_000, fds=20, cpu_seconds=1.5)


async def exposed(web: Running, http: Http, **headers: str) -> tuple[str, str]:
    """What /metrics says, and how it calls that."""
    async with http.get(f"{web.url}/metrics", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text(), answer.headers["Content-Type"]


async def lively(web: Running) -> None:
    """Some of everything that is counted."""
    meters = web.chat.hub.stats.sampler
    meters.ceilings = Ceilings(fds=1000, rss_bytes=1_000_000_000)
    for _ in range(3):
        web.chat.join_nobody()
    web.chat.hub.close(web.chat.join_nobody(), CloseReason.KICKED)
    await web.chat.post("lobby", "ci", "one", "two")
    web.clock.skipped += 1
    meters.sample(READING)


async def test_prometheus_can_read_what_is_exposed(web: Running, http: Http) -> None:
    await lively(web)
    text, kind = await exposed(web, http)
    families = {family.name: family for family in parse_text(text)}
    sample = {(each.name, *each.labels.values()): each.value for family in families.values() for each in family.samples}

    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert all(family.documentation and family.type != "unknown" for family in families.values())
    assert sample["gateway_connections", "tcp"] == 3
    assert sample["gateway_connections_closed_total", "tcp", "kicked"] == 1
    assert sample["gateway_messages_received_total",] == 2
    assert sample["gateway_loop_lag_seconds_bucket", "0.0025"] == sample["gateway_loop_lag_seconds_count",] == 1
    assert sample["gateway_journal_append_seconds_bucket", "+Inf"] == sample["gateway_journal_append_seconds_count",]
    assert sample["process_resident_memory_bytes",] == 50_000_000 and sample["process_max_fds",] == 1000


async def test_openmetrics_is_for_clients_that_ask_for_it(web: Running, http: Http) -> None:
    await lively(web)
    text, kind = await exposed(web, http, Accept=OPENMETRICS)
    families = {family.name: family.type for family in parse_openmetrics(text)}

    assert kind.startswith("application/openmetrics-text") and text.endswith("# EOF\n")
    assert families["gateway_messages_received"] == "counter" and families["gateway_loop_lag_seconds"] == "histogram"


async def test_a_label_may_say_anything(start: Start, http: Http) -> None:
    web = await start(version='a "b"\n\\')
    text, _ = await exposed(web, http)
    (built,) = [each for family in parse_text(text) for each in family.samples if each.name == "gateway_build_info"]

    assert built.labels == {"version": 'a "b"\n\\'} and built.value == 1


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
async def test_a_proxy_on_this_machine_does_not_make_its_users_local(start: Start, http: Http, header: str) -> None:
    web = await start(link_key="k" * 32)
    async with http.get(f"{web.url}/metrics", headers={header: "127.0.0.1"}) as answer:
        assert answer.status == 401
    async with http.get(
        f"{web.url}/metrics", headers={header: "10.0.0.1", "Authorization": f"Bearer {'k' * 32}"}
    ) as answer:
        assert answer.status == 401, "the key is for this machine"
    await log_in(web, http)
    async with http.get(f"{web.url}/metrics", headers={header: "10.0.0.1"}) as answer:
        assert answer.status == 200


async def test_a_page_that_took_our_address_for_its_name_reads_no_metrics(web: Running, http: Http) -> None:
    async with http.get(f"{web.url}/metrics", headers={"Host": "attacker.example"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("path", ["/admin/api/summary", "/admin/api/series", "/admin/grafana.json"])
async def test_the_key_in_the_data_folder_reads_the_dashboard(start: Start, http: Http, path: str) -> None:
    web = await start(link_key="k" * 32)
    for key, status in (("k" * 32, 200), ("x", 401), ("", 401)):
        async with http.get(web.url + path, headers={"Authorization": f"Bearer {key}"}) as answer:
            assert answer.status == status
    for csrf in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "k" * 32}):
        headers = {"Authorization": f"Bearer {'k' * 32}"} | csrf
        async with http.delete(f"{web.url}/admin/api/connections/100", headers=headers) as answer:
            assert answer.status == 403, "it reads, and changes nothing"


async def test_every_metric_of_the_grafana_dashboard_is_exposed(web: Running, http: Http) -> None:
    await lively(web)
    await log_in(web, http)
    text, _ = await exposed(web, http)
    names = {sample.name for family in parse_text(text) for sample in family.samples}
    async with http.get(f"{web.url}/admin/grafana.json") as answer:
        dashboard = await answer.json()
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = set(re.findall(r"\b(?:gateway|process)_\w+", " ".join(queries)))

    assert dashboard == json.loads(GRAFANA.read_text())
    assert len(queries) >= 20 and asked <= names, asked - names


async def test_the_series_has_columns_of_one_length_and_tells_only_news(web: Running, http: Http) -> None:
    await log_in(web, http)
    clock = count(1_790_000_000_000, 1000)
    meters = web.chat.hub.stats.sampler
    meters._clock.wall = lambda: next(clock)
    for _ in range(25):
        web.clock.skipped += 1
        meters.sample(READING)
    meters.mark("ana kicked bob")
    async with http.get(f"{web.url}/admin/api/series?span=5m") as answer:
        series = await answer.json()
    times = series["t"]
    columns = series["figures"]

    assert (series["span"], series["step"], len(times)) == ("5m", 1000, 25)
    assert {"connections_tcp", "messages_in", "deliveries", "bytes_out", "lag_p99", "loop_lag_max_ms", "slow",
            "skipped", "rss_bytes", "fds"} <= columns.keys()  # fmt: skip
    assert all(len(column) == 25 for column in columns.values())
    async with http.get(f"{web.url}/admin/api/series?span=5m&since={times[-3]}") as answer:
        news = await answer.json()
    assert news["t"] == times[-2:] and [mark["text"] for mark in news["marks"]] == ["ana kicked bob"]
    async with http.get(f"{web.url}/admin/api/series?span=1h") as answer:
        assert len((await answer.json())["t"]) == 2


@pytest.mark.parametrize("query", ["span=1w", "since=x", "since=-1"])
async def test_a_series_that_is_not_kept_is_refused(web: Running, http: Http, query: str) -> None:
    await log_in(web, http)
    async with http.get(f"{web.url}/admin/api/series?{query}") as answer:
        assert answer.status == 400


@pytest.mark.parametrize("path", [*(f"/admin/api/series?span={span}" for span in STEPS), "/admin/grafana.json"])
async def test_figures_are_not_for_strangers(web: Running, http: Http, path: str) -> None:
    async with http.get(web.url + path) as answer:
        assert answer.status == 401


async def test_the_summary_tells_now_the_highest_and_the_limit(start: Start, http: Http) -> None:
    web = await start(connection_limit=lambda: 500)
    await log_in(web, http)
    await lively(web)
    web.chat.hub.stats.sampler.sample(READING)
    async with http.get(f"{web.url}/admin/api/summary") as answer:
        summary = await answer.json()
    tiles = summary["tiles"]

    assert summary["health"] == "ok" and summary["causes"] == [] and summary["closed"] == {"kicked": 1}
    assert tiles["connections"] == {"now": 3, "peak": 4, "limit": 500, "total": None}
    assert tiles["messages_in"]["now"] == 0 < tiles["messages_in"]["peak"] and tiles["messages_in"]["total"] == 2
    assert tiles["fds"] == {"now": 20, "peak": 20, "limit": 1000, "total": None}
    assert tiles["connections_tcp"]["total"] == 4 and tiles["loop_lag_max_ms"]["now"] == 2


@pytest.mark.parametrize(
    ("code", "health", "cause"), [(Code.DRAINING, "draining", "draining"), (Code.BUSY, "busy", "paused")]
)
async def test_a_gateway_that_accepts_nobody_is_not_ready_and_says_why(
    start: Start, http: Http, code: Code, health: str, cause: str
) -> None:
    web = await start(ready=lambda: Refusal(code, "not now"))
    await log_in(web, http)
    async with http.get(f"{web.url}/readyz") as answer:
        assert answer.status == 503 and "not now" in await answer.text()
    async with http.get(f"{web.url}/healthz") as answer:
        assert answer.status == 200
    async with http.get(f"{web.url}/admin/api/summary") as answer:
        summary = await answer.json()
    assert summary["health"] == health
    assert summary["causes"][0]["name"] == cause and summary["causes"][0]["text"] == "not now"


async def test_a_journal_that_cannot_store_is_told_as_the_cause(web: Running, http: Http) -> None:
    await log_in(web, http)
    web.chat.hub.stats.sampler.storage = Refusal(Code.STORAGE, "the disk is full")
    web.chat.hub.stats.sampler.sample(READING)
    async with http.get(f"{web.url}/admin/api/summary") as answer:
        summary = await answer.json()
    assert summary["health"] == "overloaded"
    assert summary["causes"] == [{"name": "storage", "level": "overloaded", "text": "the disk is full"}]
