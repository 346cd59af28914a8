"""What an operator sees of a connection's bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sessions.trace import COVER, Typed, request_without_secrets, visible, without_secrets


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"hi\r\n", "hi\\r\\n\n"),
        ("\x1b[31mcafé\x07".encode(), "\\e[31mcafé\\x07"),
        (b"\xff\xfb\x1f\xff\xfa\x1f\x00P\xff\xf0", "<IAC WILL NAWS><IAC SB NAWS>\\x00P<IAC SE>"),
        (b"\xff\xf6\xff\xff\xff\xfd\xc8", "<IAC AYT><IAC IAC><IAC DO 200>"),
        (b"back\\slash \xfe", "back\\\\slash \\xfe"),
        ("\u202e\U000e0041".encode(), "\\u202e\\U000e0041"),
    ],
)
def test_escapes_are_visible_and_telnet_verbs_named(data: bytes, shown: str) -> None:
    assert visible(data, telnet=True) == shown


@given(st.binary(max_size=60), st.booleans())
def test_nothing_that_is_shown_acts_on_a_page_or_terminal(data: bytes, telnet: bool) -> None:
    assert all(letter.isprintable() or letter == "\n" for letter in visible(data, telnet))


@pytest.mark.parametrize(
    "line",
    [
        b"/login ana hunter2\r\n",
        b"/lo hunter2\n",
        b" /RESUME hunter2\n",
        b"/r hunter2\n",
        b"\xff\xfb\x1f/login hunter2\n",
        b"/lo\xff\xf1g hunter2\n",
        b"\x00/login hunter2\n",
        b"\xef\xbb\xbf/login hunter2\n",
        b"\x1b[0m/login hunter2\n",
        b"/login\xc2\xa0hunter2\n",
        b"x\xff\xf8/lox\xff\xf7gin hunter2\n",
        b"x\x15/l\xc3\xa9\x7fogni\x7f\x08in hunter2\n",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_secret_is_covered_however_it_is_cut(line: bytes, size: int) -> None:
    typed = Typed()
    both = b"hello\n" + line + b"bye\n"

    shown = b"".join(typed.covered(both[at : at + size]) for at in range(0, len(both), size))

    assert b"hunter2" not in shown.replace(COVER.encode(), b"") and COVER.encode() in shown
    assert shown.startswith(b"hello\n") and shown.endswith(b"\nbye\n")


def test_other_lines_are_shown() -> None:
    assert Typed().covered(b"/me waves\n/login\n//login x\nlogin x\n") == b"/me waves\n/login\n//login x\nlogin x\n"


def test_tokens_passwords_and_codes_in_objects_are_covered() -> None:
    assert without_secrets('{"type":"hello","token":"abc.def"}') == f'{{"type":"hello","token":"{COVER}"}}'
    assert without_secrets(r'{"text":"/login ana hun\"ter","id":"1"}') == f'{{"text":"/login {COVER}","id":"1"}}'
    assert without_secrets("-- come back with /resume K7Q2-MX soon") == f"-- come back with /resume {COVER} soon"


@pytest.mark.parametrize(
    "sent",
    [
        rb'{"text":"\/login ana hunter2"}', rb'{"text":"\u002fl\u006fgin hunter2"}', rb'{"text":"\t/login hunter2"}',
        rb'{"text":"/login\nhunter2"}', rb'{"text":"\n/login hunter2"}', rb'{"te\u0078t":"\ufeff/login hunter2"}',
        rb'{"\u0074oken":"hunter2","id":99999999999999999999}', b'/login hunter2', b'hi\n/login hunter2',
    ],
)  # fmt: skip
def test_a_page_may_spell_its_request_as_it_likes(sent: bytes) -> None:
    shown = request_without_secrets(sent).decode()
    assert "hunter2" not in shown and COVER in shown


@pytest.mark.parametrize("sent", [b'{"text" : "\\/me waves"}', b"[1]", b"5", b"\xff{", b"[" * 5000])
def test_what_holds_no_secret_is_shown_as_it_was_sent(sent: bytes) -> None:
    assert request_without_secrets(sent) == sent
