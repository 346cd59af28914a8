"""The address of a request behind a proxy: what a trusted proxy says counts, what others say does not."""

import asyncio

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.core.address import Networks, Remote
from gateway.web.http.client_address import HOPS, Proxies
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start, close_code

PROXY = Remote("10.0.0.1")

HEADERS = {
    "one": (["203.0.113.7"], "203.0.113.7"),
    "the right-most counts": (["1.1.1.1, 2.2.2.2, 203.0.113.7"], "203.0.113.7"),
    "trusted hops are passed over": (["1.1.1.1, 203.0.113.7, 10.9.9.9,10.0.0.2"], "203.0.113.7"),
    "several headers are one list": (["1.1.1.1, 203.0.113.7", "10.0.0.2"], "203.0.113.7"),
    "a port": (["203.0.113.7:5678"], "203.0.113.7"),
    "IPv6": (["2001:DB8::7"], "2001:db8::7"),
    "IPv6 in brackets": (["[2001:db8::7]"], "2001:db8::7"),
    "IPv6 with a port": (["[2001:db8::7]:80"], "2001:db8::7"),
    "a zone": (["fe80::7%eth0"], "fe80::7"),
    "IPv4 as IPv6": (["::ffff:203.0.113.7"], "203.0.113.7"),
    "a trusted hop as IPv6": (["203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7"),
    "what is no address is passed over": (["1.1.1.1, 2.2.2.2, evil"], "2.2.2.2"),
    "a Unix socket is passed over": (["203.0.113.7, unix:"], "203.0.113.7"),
    "withheld": (["1.1.1.1, unknown"], None),
    "withheld before a trusted hop": (["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2"),
    "only trusted hops": (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    "loopback": (["127.0.0.1"], "127.0.0.1"),
    "nothing": ([], None),
    "empty": (["", " , ,"], None),
    "garbage": (["\x00, [::1, 1.2.3.4:x, 1.2.3.4:123456, 999.1.1.1, 1:2"], None),
    "too many hops": (["1.1.1.1" + ", 10.0.0.2" * HOPS], "10.0.0.2"),
    "as many hops as are read": (["1.1.1.1, 203.0.113.7" + ", 10.0.0.2" * (HOPS - 1)], "203.0.113.7"),
}


@pytest.mark.parametrize(("forwarded", "address"), HEADERS.values(), ids=HEADERS.keys())
def test_the_right_most_hop_that_is_no_trusted_proxy_counts(forwarded: list[str], address: str | None) -> None:
    found = Proxies(Networks(["10.0.0.0/8"])).behind(PROXY, forwarded)

    assert found == (PROXY if address is None else Remote(address, PROXY.address))


@pytest.mark.parametrize(("said", "scheme"), [("https", "https"), ("http, HTTPS ", "https"), ("ftp", ""), ("", "")])
def test_the_scheme_is_what_the_last_proxy_says(said: str, scheme: str) -> None:
    headers = CIMultiDictProxy(CIMultiDict({"X-Forwarded-Proto": said}))

    assert Proxies(Networks(["10.0.0.0/8"])).scheme(PROXY, headers) == scheme
    assert Proxies(Networks()).scheme(PROXY, headers) == ""


async def trusting(start: Start) -> Running:
    """A door that trusts a proxy at 10.0.0.1, from which everybody comes."""
    web = await start(trusted_proxies=("10.0.0.1",), closing=0.2)
    web.caller = "10.0.0.1"
    return web


async def test_a_websocket_is_its_senders(start: Start) -> None:
    web = await trusting(start)
    _, writer = await web.upgraded(X_Forwarded_For="203.0.113.7")

    assert (web.chat.session.address, web.chat.session.proxy) == ("203.0.113.7", "10.0.0.1")
    writer.close()


@pytest.mark.parametrize("header", ["Forwarded", "X_Real_IP", "X_Client_IP", "X_Forwarded_Host"])
async def test_other_headers_say_nothing_even_from_a_trusted_proxy(start: Start, header: str) -> None:
    web = await trusting(start)
    _, writer = await web.upgraded(**{header: "for=203.0.113.7"})

    assert (web.chat.session.address, web.chat.session.proxy) == ("10.0.0.1", None)
    writer.close()


async def test_nobody_can_log_in_with_the_name_of_another(start: Start) -> None:
    web = await start(trusted_proxies=("10.0.0.1",))
    _, writer = await web.upgraded(X_Forwarded_For="203.0.113.7")

    assert (web.chat.session.address, web.chat.session.proxy) == ("127.0.0.1", None)
    writer.close()


async def test_websockets_of_one_proxy_are_counted_by_their_senders(start: Start) -> None:
    web = await trusting(start)
    web.admission.most = 2
    first = [await web.upgraded(X_Forwarded_For="203.0.113.7") for _ in range(2)]
    reader, writer = await web.upgraded(X_Forwarded_For="203.0.113.7")
    other = await web.upgraded(X_Forwarded_For="203.0.113.8")

    assert await close_code(reader) == 4504
    writer.close()
    first[0][1].close()
    await eventually(lambda: web.admission.here["203.0.113.7"] == 1)
    again = await web.upgraded(X_Forwarded_For="203.0.113.7")
    assert web.admission.here == {"203.0.113.7": 2, "203.0.113.8": 1}
    for _, each in (other, again):
        each.close()


async def test_a_kept_connection_carries_requests_of_many(start: Start) -> None:
    web = await trusting(start)
    web.admission.most = 1
    reader, writer = await web.talk()
    for number in range(5):
        for header in (f"X-Forwarded-For: 203.0.113.{number}\r\n", ""):
            writer.write(b"GET /rooms HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % header.encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"\n")
    writer.close()

    await eventually(lambda: len(web.lost) == 10)
    assert not +web.admission.here


async def test_a_request_too_many_is_refused_in_words(start: Start) -> None:
    web = await trusting(start)
    web.admission.most = 0
    answer = await web.send(
        b"GET /rooms HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 30" in answer
    assert b'{"error":{"code":"full","text":"0 are here already"}}' in answer


async def test_a_login_link_is_for_this_machine_and_nobody_behind_a_proxy_on_it(start: Start) -> None:
    web = await start(trusted_proxies=("127.0.0.1",), link_key="secret")
    ask = "POST /admin/login-link HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\nConnection: close\r\n"

    assert b" 404 " in (await web.send(f"{ask}X-Forwarded-For: 127.0.0.1\r\n\r\n".encode()))[:13]
    assert b" 201 " in (await web.send(f"{ask}\r\n".encode()))[:13]


async def test_behind_a_proxy_that_speaks_tls_links_and_cookies_are_secure(start: Start) -> None:
    web = await start(trusted_proxies=("127.0.0.1",))
    https = "X-Forwarded-Proto: https\r\nConnection: close\r\n"
    body = b"token=" + web.door.links.mint().encode()
    head = (
        f"POST /admin/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n{https}\r\n"
    )
    answer = await web.send(head.encode() + body)
    assert b"Set-Cookie: __Host-gateway=" in answer and b"; Secure" in answer

    cookie = answer.partition(b"Set-Cookie: ")[2].partition(b";")[0].decode()
    page = await web.send(f"GET /admin HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n{https}\r\n".encode())
    assert b"https://localhost/" in page and b"Strict-Transport-Security" not in page


async def test_trust_can_change_while_connections_live(start: Start) -> None:
    web = await trusting(start)
    web.door.reload((), (), ())
    _, writer = await web.upgraded(X_Forwarded_For="203.0.113.7")

    assert web.chat.session.address == "10.0.0.1"
    writer.close()
