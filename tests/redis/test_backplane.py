"""The way to Redis: nothing done twice, nothing hanging, and clear words for a Redis that must not be used."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any
from urllib.parse import quote

import pytest

from gateway.errors import BackplaneError, JournalError, StartError
from gateway.redis import backplane
from gateway.redis.backplane import Backplane
from gateway.redis.connection import Command, run_of
from tests.redis.nodes import nodes, soon
from tests.redis.servers import Proxy, RedisServer, free_port
from tests.tls_peers import Certificates


@pytest.fixture
def proxy(url: str, redis_server: RedisServer) -> Iterator[Proxy]:
    made = Proxy(redis_server)
    yield made
    made.close()


async def test_a_lost_answer_is_asked_for_again_and_nothing_is_stored_twice(proxy: Proxy) -> None:
    async with nodes(proxy.url) as (node,):
        await node.read()
        proxy.eat = 2
        answer = await node.say("once", "and only once")
        assert not isinstance(answer, JournalError)
        await node.say("end")
        assert (proxy.eat, node.told.texts) == (0, ["once", "and only once", "end"])


async def test_a_batch_whose_three_tries_are_lost_is_refused_and_its_retry_finds_it(proxy: Proxy) -> None:
    async with nodes(proxy.url) as (node,):
        proxy.eat = 3
        answer = await node.say("once", identity="ana", id="c1")
        assert isinstance(answer, BackplaneError)
        record = await node.read(recent=9)
        assert [message.text for message in record.recent] == ["once"]
        await node.say("once", identity="ana", id="c1")
        assert node.told.places == [("lobby", record.epoch, 1)]


async def test_a_batch_that_comes_with_the_stream_needs_no_answer(proxy: Proxy) -> None:
    async with nodes(proxy.url) as (node,):
        await node.read()
        proxy.eat = 3
        assert not isinstance(await node.say("once"), JournalError)
        assert node.told.texts == ["once"]


async def test_a_slow_way_keeps_the_order(proxy: Proxy) -> None:
    async with nodes(proxy.url) as (node,):
        await node.read()
        proxy.delay = 0.05
        await asyncio.gather(*(node.say(str(number)) for number in range(40)))
        assert node.told.texts == [str(number) for number in range(40)]


async def test_a_long_and_lossy_way_loses_nothing_and_keeps_the_order(
    proxy: Proxy, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with nodes(proxy.url) as (far,), nodes(url) as (near,):
        await far.read()
        await near.read()
        proxy.delay, proxy.loss = 0.2, 0.1
        said = [f"{number}" for number in range(60)]
        for start in range(0, len(said), 5):  # several are under way at once
            await asyncio.gather(*(far.say(text, identity="ana", id=text) for text in said[start : start + 5]))
            await near.say("here")
        await soon(lambda: len(far.told.texts) == len(near.told.texts) == 72)
        assert far.told.texts == near.told.texts and [text for text in far.told.texts if text != "here"] == said
        assert far.told.numbers == near.told.numbers == list(range(1, 73))
        assert proxy.lost and "away" not in caplog.text


async def test_an_overtaken_batch_is_refused_when_it_comes_at_last(url: str) -> None:
    async with nodes(url) as (node,):
        await node.say("1")
        late = node.backplane._token, node.backplane.node
        await node.say("2")
        arguments = (late[1], 1, 100, 1, "lobby", "e" * 16, "", 0, 1, "", 1, "n", "[]", "")
        answer = await node.ask(node.backplane.do, "append", arguments)
        assert isinstance(answer, BackplaneError) and "too late" in str(answer)


async def test_a_redis_that_stands_still_refuses_within_seconds_and_nothing_comes_twice(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backplane, "WATCH_PATIENCE", 1.0)
    server = start_redis()
    async with nodes(server.url, 2) as (here, there):
        await here.read()
        await there.read()
        await here.say("before")
        server.freeze()
        refused = await here.say("during", identity="ana", id="c1")
        assert isinstance(refused, BackplaneError)
        assert isinstance(await here.say("at once"), BackplaneError)
        assert isinstance(await here.ask(here.journal.read, "lobby", after=0, before=None, limit=9), BackplaneError)
        server.thaw()
        for text, id in (("during", "c1"), ("after", "c2")):
            while isinstance(await here.say(text, identity="ana", id=id), JournalError):
                await asyncio.sleep(0.05)
        await soon(lambda: there.told.texts[-1:] == ["after"])
        assert there.told.texts == here.told.texts == ["before", "during", "after"]


async def test_redis_is_not_away_because_this_process_stood_still(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with nodes(url) as (node,):
        watcher, answers = node.backplane._watcher, list[bool]()
        ask = watcher.ask

        async def ask_and_stand_still(commands: Sequence[Command]) -> list[Any]:
            asyncio.get_running_loop().call_soon(time.sleep, 1.0)  # the answer comes meanwhile
            answers.append(False)
            found = await ask(commands)
            answers[-1] = True
            return found

        monkeypatch.setattr(watcher, "ask", ask_and_stand_still)
        monkeypatch.setattr(watcher, "seconds", 0.1)
        await soon(lambda: len(answers) > 2)
        assert all(answers[:-1]) and "away" not in caplog.text


async def test_a_library_that_was_deleted_is_loaded_again(url: str, redis_server: RedisServer) -> None:
    async with nodes(url) as (node,):
        await node.read()
        redis_server.cli("FUNCTION", "FLUSH")
        await node.say("still here")
        assert node.told.texts == ["still here"]


async def test_a_full_redis_refuses_with_its_reason_and_recovers_by_itself(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis()
    async with nodes(server.url) as (node,):
        await node.read()
        server.cli("CONFIG", "SET", "maxmemory", "1")
        answer = await node.say("x")
        assert isinstance(answer, BackplaneError) and "Redis is full" in str(answer)
        assert isinstance(await node.say(), BackplaneError)  # an empty batch asks whether anything can be stored
        page = await node.ask(node.journal.read, "lobby", after=0, before=None, limit=9)
        assert not isinstance(page, JournalError)
        server.cli("CONFIG", "SET", "maxmemory", "0")
        await node.say("y")
        assert (node.told.texts, node.told.numbers) == (["y"], [1])


async def test_a_replica_is_not_written_to(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    async with nodes(server.url) as (node,):
        await node.read()
        server.cli("REPLICAOF", "127.0.0.1", "1")
        answer = await node.say("x")
        assert isinstance(answer, BackplaneError)


async def test_a_password_and_tls_are_spoken(
    start_redis: Callable[..., RedisServer], certificates: Certificates
) -> None:
    port = free_port()
    cert, key = map(str, certificates.pair)
    tls = ("--tls-port", str(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
    start_redis(*tls, "--requirepass", "secret")
    issuer = quote(str(certificates.trusted))
    async with nodes(f"rediss://:secret@localhost:{port}?ssl_ca_certs={issuer}") as (node,):
        await node.read()
        await node.say("private")
        assert node.told.texts == ["private"]
    with pytest.raises(StartError, match="certificate"):
        await Backplane(f"rediss://:secret@localhost:{port}").start(patience=0)
    with pytest.raises(StartError, match="does not accept"):
        await Backplane(f"rediss://:wrong@localhost:{port}?ssl_ca_certs={issuer}").start(patience=0)


REFUSED = {
    "evicting": (("--maxmemory-policy", "allkeys-lru"), "set its maxmemory-policy to noeviction"),
    "cluster": (("--cluster-enabled", "yes"), "a cluster, which is not supported"),
    "password": (("--requirepass", "secret"), "requires a password"),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
async def test_a_redis_that_must_not_be_used_is_refused_at_the_start(
    start_redis: Callable[..., RedisServer], options: tuple[str, ...], words: str
) -> None:
    server = start_redis(*options)
    with pytest.raises(StartError, match=words):
        await Backplane(server.url).start(patience=0)


async def test_a_redis_that_is_not_there_is_said_in_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StartError, match=rf"^Redis cannot be reached: .*\(127\.0\.0\.1:{port}\)$"):
        await Backplane(f"redis://127.0.0.1:{port}").start(patience=0)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (b"redis_version:6.2.1\r\n", "7 or later"),
        (b"redis_version:7.2.4\r\nmaxmemory_policy:volatile-ttl", "noeviction"),
    ],
)
def test_an_unfit_server_is_named(info: bytes, words: str) -> None:
    with pytest.raises(BackplaneError, match=words):
        run_of(info, "db:6379")


def test_valkey_counts_by_its_own_version() -> None:
    assert run_of(b"redis_version:7.2.4\r\nvalkey_version:8.0.1\r\nrun_id:abc\r\n", "db:6379") == "abc"


async def test_an_answer_that_took_seconds_says_nothing_about_the_clock(url: str) -> None:
    times = cycle((0, 3_000))
    start = time.time_ns() // 1_000_000
    backplane = Backplane(url, wall=lambda: start + next(times))  # three seconds pass between question and answer
    await backplane.start()
    assert backplane.offset_ms == 0
    await backplane.close()


async def test_a_clock_that_differs_by_an_hour_is_made_up_for(url: str) -> None:
    backplane = Backplane(url, wall=lambda: 0)
    await backplane.start()
    assert backplane.offset_ms > 3_600_000
    await backplane.close()


async def test_sentinels_lead_to_the_master_and_after_a_failover_to_the_next_one(
    start_redis: Callable[..., RedisServer],
) -> None:
    """The machine of the master dies with one of three sentinels, the first that nodes ask."""
    ports = [free_port() for _ in range(5)]
    secret = ("--requirepass", "secret", "--masterauth", "secret")
    master = start_redis("--port", str(ports[0]), *secret)
    replica = start_redis("--port", str(ports[1]), *secret, "--replicaof", "127.0.0.1", str(ports[0]))
    sentinels = [start_redis("--port", str(port), sentinel=True) for port in ports[2:]]
    for sentinel in sentinels:
        sentinel.cli("SENTINEL", "MONITOR", "chat", "127.0.0.1", ports[0], 2)
        for setting in (("auth-pass", "secret"), ("down-after-milliseconds", 1000), ("failover-timeout", 3000)):
            sentinel.cli("SENTINEL", "SET", "chat", *setting)
    replica.cli("AUTH", "secret")
    places = ",".join(f"127.0.0.1:{port}" for port in (1, *ports[2:]))
    async with nodes(f"redis+sentinel://:secret@{places}/chat") as (node,):
        await node.read()
        await node.say("before")
        await soon(lambda: all(len(each.cli("SENTINEL", "SENTINELS", "chat")) == 2 for each in sentinels))
        await soon(lambda: all(each.cli("SENTINEL", "REPLICAS", "chat") for each in sentinels))
        await soon(lambda: replica.cli("XLEN", "gw:log:lobby") == 1)
        master.kill()
        sentinels[0].kill()
        while isinstance(await node.say("after", identity="ana", id="after"), JournalError):
            await asyncio.sleep(0.05)
        assert node.told.texts == ["before", "after"]
        replica.cli("AUTH", "secret")  # Sentinel has cut all its connections
        assert replica.cli("XLEN", "gw:log:lobby") == 2


async def test_sentinels_and_masters_that_speak_nothing_but_tls(
    start_redis: Callable[..., RedisServer], certificates: Certificates
) -> None:
    """A sentinel with a password of its own; both nodes of Redis are called by their name."""
    first, second, asked = (free_port() for _ in range(3))
    cert, key = map(str, certificates.pair)
    trusted = str(certificates.trusted)
    tls = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", trusted]
    tls += ["--tls-auth-clients", "no", "--tls-replication", "yes", "--port", "0"]
    secret = ("--requirepass", "secret", "--masterauth", "secret")
    master = start_redis(*tls, "--tls-port", str(first), *secret)
    replica = start_redis(*tls, "--tls-port", str(second), *secret, "--replicaof", "localhost", str(first))
    sentinel = start_redis(*tls, "--tls-port", str(asked), "--requirepass", "watch it", sentinel=True)
    for each, password in ((master, "secret"), (replica, "secret"), (sentinel, "watch it")):
        each.cli("AUTH", password)
    sentinel.cli("SENTINEL", "CONFIG", "SET", "resolve-hostnames", "yes")
    sentinel.cli("SENTINEL", "CONFIG", "SET", "announce-hostnames", "yes")
    for each in (replica, master):
        each.cli("CONFIG", "SET", "replica-announce-ip", "localhost")
    sentinel.cli("SENTINEL", "MONITOR", "chat", "localhost", first, 1)
    for setting in (("auth-pass", "secret"), ("down-after-milliseconds", 1000), ("failover-timeout", 3000)):
        sentinel.cli("SENTINEL", "SET", "chat", *setting)
    url = f"rediss+sentinel://:secret@localhost:{asked}/chat?ssl_ca_certs={quote(trusted)}"
    async with nodes(f"{url}&sentinel_password=watch%20it") as (node,):
        await node.read()
        await node.say("before")
        await soon(lambda: sentinel.cli("SENTINEL", "REPLICAS", "chat"))
        await soon(lambda: replica.cli("XLEN", "gw:log:lobby") == 1)
        master.kill()
        while isinstance(await node.say("after", identity="ana", id="after"), JournalError):
            await asyncio.sleep(0.05)
        assert node.told.texts == ["before", "after"]
    unknown = url.replace("/chat?", "/talk?") + "&sentinel_password=watch%20it"
    untrusted = f"{url.partition('?')[0]}?sentinel_password=watch%20it"
    wrong = {url: "requires a password", untrusted: "certificate", unknown: "they do not know the service"}
    for wrong_url, words in wrong.items():
        with pytest.raises(StartError, match=rf"no sentinel knows a master of the service \w+: .*{words}"):
            await Backplane(wrong_url).start(patience=0)


async def test_a_service_that_no_sentinel_knows_is_said_in_one_line() -> None:
    with pytest.raises(StartError, match="no sentinel knows a master of the service chat"):
        await Backplane("redis+sentinel://127.0.0.1:1/chat").start(patience=0)
