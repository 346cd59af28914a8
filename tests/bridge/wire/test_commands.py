"""The commands as people type them, on a terminal and on the page."""

import re

import pytest

from tests.bridge.gateways import Gateway
from tests.bridge.peers import Browser, Terminal, history, post

KNOWN = ("help", "nick", "me", "msg", "who", "whois", "join", "rooms", "topic", "history", "since", "echo", "quit")


@pytest.fixture
def terminal(shared: Gateway, room: str) -> Terminal:
    """A terminal in a room of its own."""
    terminal = Terminal(shared.tcp)
    terminal.send(f"/join {room}")
    terminal.until(rf"you are in #{room}")
    return terminal


@pytest.fixture
def browser(shared: Gateway, room: str) -> Browser:
    """A browser in the same room."""
    return Browser(shared.web, room)


def test_help_lists_every_command_and_explains_one(shared: Gateway) -> None:
    with Terminal(shared.tcp) as terminal:
        terminal.send("/help")
        lines = terminal.until("//x")
        for name in KNOWN:
            assert any(re.match(rf"-- (and )?(/\w+ )*/{name}\b", line) for line in lines), name
        assert terminal.answer("/help join").startswith("-- /join ROOM")


def test_help_of_the_page_is_the_same(shared: Gateway, room: str, browser: Browser) -> None:
    text = browser.say("/help", room)["text"]

    assert all(f"/{name}" in text for name in KNOWN)


def test_nick_takes_a_name_and_says_the_present_one(terminal: Terminal) -> None:
    assert terminal.answer("/nick lena") == "-- you are lena"
    assert terminal.answer("/nick") == "-- you are lena"
    assert terminal.answer("/nick no name").startswith("!! nick_invalid: ")
    assert terminal.answer("/nick server").startswith(("!! nick_taken: ", "!! nick_invalid: "))


def test_me_is_an_action(shared: Gateway, terminal: Terminal, browser: Browser, room: str) -> None:
    terminal.named("mia").send("/me waves")
    message = browser.next("msg")

    assert (message["kind"], message["text"]) == ("action", "waves")
    browser.say("/me waves back", room)
    assert terminal.until("waves back")[-1] == f"* {browser.nick} waves back"


def test_msg_goes_to_one_person(terminal: Terminal, browser: Browser, room: str) -> None:
    terminal.named("otto")
    assert terminal.answer(f"/msg {browser.nick} psst") == f"[you -> {browser.nick}] psst"
    assert browser.next("private")["from"] == "otto"
    browser.say("/msg otto what?", room)
    assert terminal.until("what")[-1] == f"[{browser.nick} -> you] what?"
    assert terminal.answer("/msg nobody-here x").startswith("!! no_such_user: ")
    assert terminal.answer("/msg otto").startswith("!! bad_message: ")


def test_who_and_whois(terminal: Terminal, browser: Browser, room: str) -> None:
    terminal.named("pia").send("/who")
    lines = terminal.until("pia ")
    assert lines[0] == f"-- 2 people in #{room}"
    assert any("pia" in line and "tcp" in line for line in lines)
    assert room in browser.say("/whois pia", room)["text"]
    assert terminal.answer("/whois nobody-here").startswith("!! no_such_user: ")


def test_join_leaves_the_old_room_and_shows_the_new_one(shared: Gateway, terminal: Terminal, room: str) -> None:
    post(shared.web, f"{room}-2", "old words", "ci")
    with Browser(shared.web, room) as stayed:
        terminal.send(f"/join #{room.upper()}-2")
        shown = terminal.until("old words")
        stayed.say("not for bob", room)
        terminal.send("/who")
        assert terminal.until("people|person")[-1] == f"-- 1 person in #{room}-2"

    assert shown[0] == f"-- you are in #{room}-2, you are alone"
    assert re.fullmatch(r"\[\d\d:\d\d\] ci: old words", shown[-1])
    assert terminal.answer("/join no/room", "^!!").startswith("!! room_invalid: ")
    assert terminal.answer("/join", "^!!").startswith("!! room_invalid: ")


def test_rooms_lists_those_with_people(terminal: Terminal, room: str) -> None:
    terminal.send("/rooms")
    assert terminal.until(f"#{room}  1 person")
    assert terminal.answer("/rooms x", "^!!").startswith("!! bad_message: ")


def test_rooms_lists_those_with_a_history_and_nobody_in_them_last(
    shared: Gateway, terminal: Terminal, room: str
) -> None:
    post(shared.web, f"{room[:50]}-quiet", "old words", "ci")
    terminal.send("/rooms")
    shown = terminal.until(f"#{room[:50]}-quiet  empty, last word [0-9]+s ago$")

    assert any(f"#{room}  1 person" in line for line in shown)


def test_topic_is_set_shown_and_limited(terminal: Terminal, browser: Browser, room: str) -> None:
    assert terminal.named("tom").answer("/topic").startswith("-- no topic yet")
    assert terminal.answer("/topic release day") == "-- tom set the topic: release day"
    assert terminal.answer("/topic") == "-- topic: release day"
    assert browser.until(lambda found: found["type"] == "notice")[-1]["text"] == "tom set the topic: release day"
    assert browser.say("/topic " + "a" * 300, room)["type"] in ("ack", "notice")
    assert browser.say("/topic " + "a" * 301, room)["code"] == "too_long"


def test_history_and_since_show_own_lines_too(shared: Gateway, terminal: Terminal, room: str) -> None:
    terminal.named("hugo").send("mine")
    for number in range(2, 31):
        post(shared.web, room, f"m{number}", "ci")
    terminal.until("m30")
    terminal.send("/history 30")
    shown = [re.sub(r"\[\d\d:\d\d\] ", "", line) for line in terminal.until("m30")]
    assert shown == ["#1 hugo: mine", *(f"#{n} ci: m{n}" for n in range(2, 31))]
    terminal.send("/history")
    assert len(terminal.until("m30")) == 20
    for place in ("28", "#28"):
        terminal.send(f"/since {place}")
        assert [line[-8:] for line in terminal.until("m30")] == [" ci: m29", " ci: m30"]
    assert terminal.answer("/since 30") == "-- nothing there"
    assert terminal.answer("/since x").startswith("!! bad_message: ")
    assert terminal.answer("/history 0").startswith("!! bad_message: ")


def test_history_holds_what_was_said_just_before_it(terminal: Terminal, browser: Browser, room: str) -> None:
    terminal.named("kai").send("just now", "/history")
    assert terminal.line().endswith("] kai: just now")
    browser.post("and this", room)
    browser.send(type="history", room=room)
    assert browser.next("history")["messages"][-1]["text"] == "and this"


def test_history_shows_three_hundred_lines_at_most(shared: Gateway, terminal: Terminal, room: str) -> None:
    terminal.named("ida").send(*(f"m{number}" for number in range(1, 311)), "/history 9999")
    assert terminal.until("m310")[0].endswith("ida: m11")
    terminal.send("/since 0")
    lines = terminal.until("/since 300")
    assert len(lines) == 301
    assert lines[-1] == "-- more: /since 300"


def test_own_lines_come_back_only_on_wish(terminal: Terminal, browser: Browser, room: str) -> None:
    terminal.named("eva").send("unheard")
    assert terminal.answer("/echo on") == "-- your own lines come back to you"
    terminal.send("heard")
    assert terminal.line() == "eva: heard"
    terminal.send("/echo off")
    terminal.until("do not come back")
    terminal.send("unheard again")
    browser.texts_until("unheard again")
    browser.say("end", room)
    assert terminal.line() == f"{browser.nick}: end"


@pytest.mark.parametrize("word", ["/quit", "quit", "/q"])
def test_quit_says_goodbye_and_closes(shared: Gateway, word: str) -> None:
    with Terminal(shared.tcp) as terminal:
        terminal.send("not a script", word, "never said")
        assert terminal.rest().startswith("-- bye")
    assert "never said" not in [message["text"] for message in history(shared.web, "lobby")]


def test_quit_on_the_page_closes(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        browser.post("/quit")
        assert browser.next("bye")["code"] == 1000
        assert browser.closed()[0] == 1000


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("//help", "/help"),
        ("/usr/bin/env python", "/usr/bin/env python"),
        ("/etc/", "/etc/"),
        ("quit it", "quit it"),
        (" quit", " quit"),
        (" /who", " /who"),
        ("/", "/"),
        ("QUIT", "QUIT"),
    ],
)
def test_a_line_that_is_no_command_is_said(
    shared: Gateway, terminal: Terminal, browser: Browser, room: str, typed: str, said: str
) -> None:
    terminal.send(typed)
    assert browser.next("msg")["text"] == said
    assert browser.say(typed, room)["type"] == "ack"
    assert [message["text"] for message in history(shared.web, room)] == [said, said]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("/hel", "-- /help"),
        ("/NICK", "-- you are"),
        ("/top", "-- no topic yet"),
        ("/wh", "!! unknown_command: .*/who.*/whois"),
        ("/h", "!! unknown_command: .*/help.*/history"),
        ("/hlep", "!! unknown_command: .*/help"),
        ("/xyzzy", "!! unknown_command: .*/help"),
    ],
)
def test_a_prefix_is_enough_and_an_unclear_word_gets_proposals(
    shared: Gateway, terminal: Terminal, browser: Browser, room: str, typed: str, answer: str
) -> None:
    assert re.match(answer, terminal.answer(typed))
    found = browser.say(typed, room)
    assert found.get("code", "notice") == ("unknown_command" if "unknown" in answer else "notice")
    browser.say("end", room)
    assert [message["text"] for message in history(shared.web, room)] == ["end"]


def test_who_and_whois_are_found_although_one_begins_the_other(terminal: Terminal) -> None:
    assert terminal.answer("/who").startswith("-- 1 person in")
    assert terminal.answer("/whoi").startswith("-- guest-")


ALIASES = {
    "/list": "-- #",
    "/names": "-- 1 person in #",
    "/w": "-- 1 person in #",
    "/part": "-- you are in #lobby",
    "/leave": "-- you are in #lobby",
    "/?": "-- /help",
    "/who   ": "-- 1 person in #",
    "/ki bob": "!! unknown_command: no /ki, did you mean /kick?",
    "/ba bob": "!! unknown_command: no /ba",
    "/exi": "!! unknown_command: no /exi, did you mean /exit?",
    "/nick ana b": "!! nick_invalid: no blanks",
    "/bot x": "!! bad_message: ",
    "/since": "!! bad_message: ",
    "/since 25:00": "!! bad_message: ",
    "/who 9": "!! bad_message: there is no page 9",
}


@pytest.mark.parametrize(("typed", "answer"), ALIASES.items(), ids=ALIASES.keys())
def test_words_of_other_chats_and_whole_names(terminal: Terminal, typed: str, answer: str) -> None:
    assert terminal.answer(typed).startswith(answer)


@pytest.mark.parametrize("word", ["/exit", "/bye", "quit  ", "/quit \t"])
def test_ways_to_leave(terminal: Terminal, word: str) -> None:
    terminal.send(word)

    assert terminal.until("bye")[-1].startswith("-- bye")
    assert terminal.rest() == ""


def test_w_with_a_name_and_words_is_private(terminal: Terminal, browser: Browser) -> None:
    assert terminal.answer(f"/w {browser.nick} psst") == f"[you -> {browser.nick}] psst"


def test_bot_off_brings_lines_back(terminal: Terminal, browser: Browser, room: str) -> None:
    terminal.send("/bot")
    assert "/bot off ends it" in terminal.until("JSON from now on")[-1]
    terminal.until('^{"type":"joined"')
    assert terminal.answer("/bot off") == "-- lines from now on; /bot turns JSON on"
    browser.say("in words", room)
    assert terminal.until("in words")[-1] == f"{browser.nick}: in words"


@pytest.mark.parametrize("since", ["0", "10m", "1h"])
def test_since_a_number_or_a_moment_shows_own_messages_too(terminal: Terminal, since: str, room: str) -> None:
    terminal.named(f"own-{since}").send("my words", f"/since {since}")

    assert re.fullmatch(rf"#1 \[\d\d:\d\d\] own-{since}: my words", terminal.until("my words")[-1])


@pytest.mark.parametrize("word", ["help", "HELP ", "?", "exit"])
def test_a_lone_word_that_may_be_a_command_is_asked_about_once(shared: Gateway, word: str) -> None:
    with Browser(shared.web) as browser, Terminal(shared.tcp) as person:
        person.until("Ctrl-R|/help")
        assert person.answer(word, "room, send").startswith("-- /")
        person.send(word, "and words")

        assert browser.texts_until("and words") == [word, "and words"]


def test_control_c_alone_is_told_how_to_leave(terminal: Terminal) -> None:
    assert terminal.answer("\x03") == "-- /quit leaves"
