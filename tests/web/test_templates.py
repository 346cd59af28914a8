"""The real templates with the contexts that the web door gives them: an unknown name would be a 500."""

from pathlib import Path

import aiohttp
import pytest

from gateway.web.settings import STATIC_DIR, ListenerState
from tests.web.running_door import Running, Start

TEMPLATES = Path(__file__).parents[2] / "templates"


@pytest.fixture
async def real(start: Start) -> Running:
    listeners = [ListenerState("tcp", "127.0.0.1:9999", 9999), ListenerState("telnet", "127.0.0.1:2323", 2323)]
    return await start(templates=TEMPLATES, static=STATIC_DIR, listeners=lambda: listeners)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/r/ops", 200),
        ("/r/*", 400),
        ("/nowhere", 404),
        ("/admin/login", 200),
        ("/admin/login?token=x", 403),
    ],
)
async def test_a_strangers_pages(real: Running, http: aiohttp.ClientSession, path: str, status: int) -> None:
    async with http.get(real.url + path, headers={"Accept": "text/html"}) as answer:
        assert answer.status == status
        assert "</html>" in await answer.text()


async def test_the_dashboard_from_link_to_kick(real: Running, http: aiohttp.ClientSession) -> None:
    nobody = real.chat.join_nobody()
    token = real.door.links.mint()
    async with http.get(f"{real.url}/admin/login?token={token}") as answer:
        assert f'value="{token}"' in await answer.text()
    async with http.post(f"{real.url}/admin/login", data={"token": token}) as answer:
        page = await answer.text()
    assert f'data-id="{nobody.id}"' in page
    csrf = page.partition('name="csrf-token" content="')[2].partition('"')[0]
    async with http.post(f"{real.url}/admin/kick", data={"id": nobody.id, "reason": "x", "csrf": csrf}) as answer:
        page = await answer.text()
    assert "Kicked." in page and "data-id" not in page.partition("<template")[0]
