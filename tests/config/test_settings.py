"""Settings: every one has a right default, and each kind of value is read as it is written."""

from pathlib import Path

import msgspec
import pytest

from gateway.config.settings import SETTINGS, Setting, Settings, markdown_table
from gateway.config.values import redis_url

README = Path(__file__).parents[2] / "README.md"

each_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())


@each_setting
def test_the_default_is_a_right_value(setting: Setting) -> None:
    assert msgspec.convert(setting.default, setting.type) == setting.default


@each_setting
def test_the_default_as_text_reads_back_as_the_default(setting: Setting) -> None:
    text = setting.toml(setting.default).strip('"[]')

    assert setting.read(text, is_text=True) == setting.default


@each_setting
def test_every_setting_is_explained_in_one_phrase(setting: Setting) -> None:
    assert setting.description
    assert not setting.description.endswith(".")


def test_the_settings_are_those_that_scripts_know_by_name() -> None:
    assert list(SETTINGS) == [
        *("host", "tcp_port", "telnet_port", "web_port", "tls_cert", "tls_key", "tcp_tls_port", "telnet_tls_port"),
        *("data", "redis", "workers", "memory", "ports_file", "classic", "console"),
        *("selector", "proxy_protocol", "motd", "log_level", "log_format"),
        *("limits.messages_per_second", "limits.burst", "limits.connections", "limits.connections_per_ip"),
        *("limits.rooms", "limits.log_messages", "limits.log_bytes", "limits.logs_bytes"),
        *("limits.address_messages_per_second", "limits.address_burst", "limits.paste_bytes", "limits.stall_seconds"),
        *("journal.durability", "journal.retention", "journal.stream_messages"),
        *("web.origins", "web.hosts", "web.trusted_proxies", "web.keepalive", "web.hsts", "web.base_path"),
        *("rooms.create", "admin.password_hash", "admin.accounts", "admin.tokens", "admin.watch"),
    ]


def test_the_defaults_are_the_promised_ones() -> None:
    settings = Settings(data=Path("chat"))

    assert settings.host == ("127.0.0.1",)
    assert (settings.tcp_port, settings.telnet_port, settings.web_port) == (9999, 2323, 8080)
    assert (settings.limits.messages_per_second, settings.limits.burst) == (10, 100)
    assert (settings.limits.connections, settings.limits.connections_per_ip) == (10_000, 64)
    assert (settings.limits.rooms, settings.limits.log_messages, settings.limits.log_bytes) == (10_000, 10_000, 8 << 20)
    assert (settings.limits.logs_bytes, settings.limits.stall_seconds) == (256 << 20, 0)
    assert (settings.limits.address_messages_per_second, settings.limits.address_burst) == (50, 1000)
    assert (settings.web.keepalive, settings.web.base_path) == (75, "")
    assert (settings.journal.durability, settings.journal.retention) == ("process", 30 * 86400)


def test_a_setting_has_one_name_in_each_place() -> None:
    burst = SETTINGS["limits.messages_per_second"]

    assert burst.variable == "GATEWAY_LIMITS__MESSAGES_PER_SECOND"
    assert burst.flags == [
        "--limits.messages_per_second",
        "--limits.messages-per-second",
        "--limits-messages-per-second",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("tcp_port", "0", 0),
        ("tcp_port", "-1", -1),
        ("host", "::1, 0.0.0.0", ("::1", "0.0.0.0")),
        ("host", "[::1]", ("::1",)),
        ("web.base_path", "chat/", "/chat"),
        ("web.base_path", "/", ""),
        ("memory", "true", True),
        ("memory", "0", False),
        ("log_level", "WARNING", "warning"),
        ("ports_file", "", None),
        ("ports_file", "~/ports", Path("~/ports").expanduser()),
        ("limits.log_bytes", "8388608", 8 << 20),
        ("limits.log_bytes", "1.5 KiB", 1536),
        ("limits.log_bytes", "4MB", 4_000_000),
        ("limits.log_bytes", "64k", 64_000),
        ("limits.log_bytes", "64kB", 64_000),
        ("limits.log_bytes", "64KiB", 65_536),
        ("journal.retention", "12h", 43200.0),
        ("journal.retention", "250ms", 0.25),
        ("journal.retention", "45", 45.0),
        ("web.origins", "https://a.example,http://b.example:81", ("https://a.example", "http://b.example:81")),
        ("web.hosts", "", ()),
        ("web.hosts", "a.example,https://b.example:8443", ("a.example", "https://b.example:8443")),
    ],
)
def test_text_is_read_as_the_kind_of_value(name: str, text: str, value: object) -> None:
    assert SETTINGS[name].read(text, is_text=True) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tcp_port", "65536"),
        ("tcp_port", "-2"),
        ("tcp_port", "http"),
        ("tcp_port", ""),
        ("host", ""),
        ("host", "http://a"),
        ("host", "[::1"),
        ("web.base_path", "/a//b"),
        ("web.base_path", "/../x"),
        ("web.base_path", "a?b"),
        ("web.base_path", "/admin/chat"),
        ("web.base_path", "/r"),
        ("data", ""),
        ("memory", "maybe"),
        ("selector", "iocp"),
        ("limits.burst", "-1"),
        ("limits.burst", "1.5"),
        ("limits.log_bytes", "8 MiBs"),
        ("limits.log_bytes", "-1"),
        ("limits.log_bytes", "\u0661MiB"),
        ("journal.retention", "inf"),
        ("journal.retention", "3 years"),
        ("web.origins", "https://a.example/chat"),
        ("web.origins", "a.example"),
        ("web.hosts", "a.example:80"),
        ("web.hosts", "https://a.example/chat"),
        ("web.hosts", "wss://a.example"),
    ],
)
def test_wrong_text_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError):
        SETTINGS[name].read(text, is_text=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("tcp_port", "9999"), ("tcp_port", True), ("memory", 1), ("limits.log_bytes", 1.5), ("host", [1])],
)
def test_a_file_must_use_the_types_of_toml(name: str, value: object) -> None:
    with pytest.raises(ValueError):
        SETTINGS[name].read(value, is_text=False)


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("limits.log_bytes", 8 << 20, '"8MiB"'),
        ("limits.log_bytes", 1000, '"1kB"'),
        ("limits.log_bytes", 1001, "1001"),
        ("limits.log_bytes", 0, "0"),
        ("journal.retention", 90.0, '"90s"'),
        ("journal.retention", 0.5, "0.5"),
        ("journal.retention", 14 * 86400.0, '"2w"'),
        ("host", ("::1", "::2"), '["::1", "::2"]'),
        ("ports_file", None, ""),
        ("data", Path("a b"), '"a b"'),
    ],
)
def test_values_are_shown_as_one_would_write_them(name: str, value: object, written: str) -> None:
    assert SETTINGS[name].toml(value) == written


def test_the_readme_shows_the_settings_as_they_are() -> None:
    shown = README.read_text().partition("<!-- settings -->\n")[2].partition("<!-- end of settings -->")[0]

    assert shown.strip() == markdown_table().strip(), "paste what gateway.config.markdown_table() returns"


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("redis+sentinel://a:1,b,[::1]:26379/chat/2", True),
        ("redis+sentinel://ana:p%40ss@a/chat", True),
        ("rediss+sentinel://:p@a:1,b/chat/2?ssl_ca_certs=/etc/ca.pem&sentinel_password=x:99999/", True),
        ("redis+sentinel://a:1", False),
        ("redis+sentinel://a:99999,b/chat", False),
        ("redis+sentinel://a:x/chat", False),
        ("redis://a:1,b:2", False),
        ("rediss://a:6380/1", True),
    ],
)
def test_urls_of_redis_and_of_sentinels(url: str, right: bool) -> None:
    if right:
        assert redis_url(url) == url
    else:
        with pytest.raises(ValueError):
            redis_url(url)
