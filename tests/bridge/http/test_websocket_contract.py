"""Section 4 of the contract: the objects of `/ws`, in the order stated there."""

import re
import socket
import time
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import (
    HOST,
    Browser,
    Json,
    Terminal,
    history,
    origin,
    post,
    raw,
    refused_upgrade,
    subprotocols,
)

MESSAGE_BYTES = 65536


# Hello


def test_hello_is_answered_by_welcome_then_joined_then_history(shared: Gateway) -> None:
    with Browser(shared.web, hello=False) as browser:
        browser.send(type="hello")
        welcome, joined, history = (browser.receive() for _ in range(3))

    assert welcome["type"] == "welcome"
    assert re.fullmatch("guest-[0-9a-f]{4}", welcome["nick"])
    assert re.fullmatch("[0-9a-f]+", welcome["session"])
    assert set(welcome["server"]) >= {"name", "version"}
    assert isinstance(welcome["limits"], dict)
    assert (joined["type"], joined["room"], joined["recovered"]) == ("joined", "lobby", False)
    assert history["type"] == "history"


def test_a_new_room_is_empty_and_has_an_epoch_and_us(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="founder") as browser:
        joined = browser.joined[room]

    assert (joined["first"], joined["head"], joined["count"], joined["topic"]) == (1, 0, 1, "")
    assert re.fullmatch("[A-Za-z0-9_-]{8,32}", joined["epoch"])
    assert joined["members"] == [{"nick": "founder", "door": "web"}]


def test_a_refused_nick_is_told_between_welcome_and_joined_and_leaves_a_guest(shared: Gateway) -> None:
    with Browser(shared.web, hello=False) as browser:
        browser.send(type="hello", nick="server")
        welcome, error, joined = (browser.receive() for _ in range(3))

    assert [welcome["type"], error["type"], joined["type"]] == ["welcome", "error", "joined"]
    assert error["code"] in ("nick_taken", "nick_invalid")
    assert welcome["nick"].startswith("guest-")


def test_hello_may_name_several_rooms_and_each_is_joined_in_turn(shared: Gateway, room: str) -> None:
    with Browser(shared.web, f"{room}-a", f"{room}-b") as browser:
        assert list(browser.joined) == [f"{room}-a", f"{room}-b"]


def test_hello_without_rooms_in_its_list_joins_none(shared: Gateway) -> None:
    with Browser(shared.web, hello=False) as browser:
        browser.send(type="hello", rooms=[])
        browser.send(type="ping", id="p")
        assert [browser.receive()["type"], browser.receive()["type"]] == ["welcome", "pong"]
        assert browser.say("anybody?")["code"] == "not_joined"


def test_before_hello_nothing_else_is_understood(shared: Gateway) -> None:
    with Browser(shared.web, hello=False) as browser:
        browser.send(type="ping")
        assert browser.receive()["code"] == "bad_message"


def test_a_second_hello_is_refused(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        browser.send(type="hello")
        assert browser.next("error")["code"] == "bad_message"


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_a_peer_without_hello_is_closed_after_fifteen_seconds(shared: Gateway) -> None:
    with Browser(shared.web, hello=False) as browser:
        began = time.monotonic()
        assert browser.closed(20)[0] == 1008
        assert 14 < time.monotonic() - began < 18


def test_a_room_name_is_lowered_and_loses_its_hash(shared: Gateway, room: str) -> None:
    with Browser(shared.web, hello=False) as browser:
        browser.send(type="hello", rooms=[{"room": f"#{room.upper()}"}])
        assert browser.next("joined")["room"] == room


@pytest.mark.parametrize("name", ["", "#", "-a", "a b", "../x", "a" * 65, "\u00e9"])
def test_a_malformed_room_name_is_room_invalid(shared: Gateway, name: str) -> None:
    with Browser(shared.web) as browser:
        browser.send(type="join", room=name)
        assert browser.next("error", "joined")["code"] == "room_invalid"


# Saying


def test_a_message_comes_to_everybody_the_sender_included_and_is_acknowledged(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="ana") as ana, Browser(shared.web, room) as bob:
        before = int(time.time() * 1000)
        id = ana.post("hi", room)
        found = {each["type"]: each for each in (ana.next("msg", "ack"), ana.next("msg", "ack"))}
        message = bob.next("msg")

    assert found["ack"] == {"type": "ack", "id": id, "room": room, "seq": 1}
    assert found["msg"] == message
    assert abs(message.pop("ts") - before) < 5000
    assert message == {
        "type": "msg", "room": room, "seq": 1, "nick": "ana", "door": "web", "kind": "say", "text": "hi"
    }  # fmt: skip


def test_an_action_has_its_kind(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room) as browser:
        browser.say("waves", room, kind="action")
        browser.say("/me bows", room)
        browser.say("end", room)
        found = [(each["kind"], each["text"]) for each in Browser(shared.web, room).history[room]]

    assert found == [("action", "waves"), ("action", "bows"), ("say", "end")]


def test_without_an_id_there_is_no_ack(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room) as browser:
        browser.send(type="say", room=room, text="quiet")
        browser.send(type="ping", id="after")
        types = [each["type"] for each in browser.until(lambda found: found["type"] == "msg")]
        assert "ack" not in types


def test_fields_that_only_the_server_sets_are_not_taken_from_the_sender(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="mallory") as browser:
        browser.post("hi", room, nick="admin", seq=99, ts=1, door="tcp", admin=True)
        message = browser.next("msg")

    assert (message["nick"], message["seq"], message["door"]) == ("mallory", 1, "web")
    assert message["ts"] > 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_text"),
        (" ", "bad_text"),
        ("\x00\x07", "bad_text"),
    ],
)
def test_text_that_cannot_be_said_is_refused(shared: Gateway, room: str, text: str, code: str) -> None:
    with Browser(shared.web, room) as browser:
        assert browser.say(text, room)["code"] == code


@pytest.mark.parametrize("text", ["a" * 4000, "a" * 4001, "\u20ac" * 1334])
def test_four_thousand_bytes_can_be_said_and_more_is_a_paste(shared: Gateway, room: str, text: str) -> None:
    with Browser(shared.web, room) as browser:
        assert browser.say(text, room)["type"] == "ack"
    [message] = history(shared.web, room)
    assert ("paste" in message) == (len(text.encode()) > 4000)


def test_half_a_surrogate_pair_is_bad_text(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room) as browser:
        browser.post("a\ud800b", room)
        error = browser.next("error")
        assert error["code"] in ("bad_text", "bad_message")
        assert browser.say("still here", room)["type"] == "ack"


def test_what_a_terminal_would_obey_is_taken_out(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room) as browser, Terminal(shared.tcp) as terminal:
        terminal.send(f"/join {room}")
        terminal.until("you are in")
        browser.say("a\x1b[2J\x9b31mb\u2028c\u202ed\U000e0041", room)
        assert terminal.line().endswith(": ab cd")


def test_a_room_that_was_not_joined_is_refused_as_such(shared: Gateway, room: str) -> None:
    with Browser(shared.web) as browser:
        assert browser.say("hi", room)["code"] == "not_joined"
        browser.send(type="part", room=room)
        assert browser.next("error")["code"] == "not_joined"
        browser.send(type="history", room=room)
        assert browser.next("error")["code"] == "not_joined"


def test_too_fast_is_rate_limited_with_the_time_to_wait_and_not_posted(start: Start) -> None:
    gateway = start("--limits.burst", 3, "--limits.messages_per_second", 2)
    with Browser(gateway.web) as browser:
        for _ in range(3):
            assert browser.say("in time")["type"] == "ack"
        error = browser.say("too fast")
        assert (error["code"], 0 < error["retry_ms"] <= 1000) == ("rate_limited", True)
    with Browser(gateway.web) as reader:
        assert [message["text"] for message in reader.history["lobby"]] == ["in time"] * 3


def test_every_refusal_carries_the_id_of_its_request(shared: Gateway, room: str) -> None:
    with Browser(shared.web) as browser:
        for number, fields in enumerate(
            (
                {"type": "join", "room": "no room"},
                {"type": "part", "room": room},
                {"type": "history", "room": room},
                {"type": "nick", "nick": "no nick"},
                {"type": "say", "room": room, "text": "x"},
                {"type": "say", "room": "lobby", "text": "/nothing"},
                {"type": "say", "room": "lobby", "text": "/join no room"},
                {"type": "say", "room": "lobby"},
                {"type": "dance"},
            )
        ):
            browser.send(**fields, id=f"r{number}")
            assert browser.next("error")["id"] == f"r{number}"


# Coming and going


def test_join_and_part(shared: Gateway, room: str) -> None:
    with Browser(shared.web) as browser:
        browser.send(type="join", room=room)
        assert browser.next("joined")["room"] == room
        assert browser.next("history")["messages"] == []
        browser.send(type="part", room=room)
        assert browser.say("gone", room)["code"] == "not_joined"


def test_a_session_is_in_fifty_rooms_at_most(shared: Gateway, room: str) -> None:
    with Browser(shared.web, *(f"{room[:40]}-{number}" for number in range(50))) as browser:
        browser.send(type="join", room=f"{room[:40]}-50")
        assert browser.next("error", "joined")["code"] == "room_limit"


def test_history_comes_in_pages_back_to_the_first(shared: Gateway, room: str) -> None:
    for number in range(1, 131):
        assert post(shared.web, room, f"m{number}").status == 201
    with Browser(shared.web, room) as browser:
        shown = [message["seq"] for message in browser.history[room]]
        browser.send(type="history", room=room, before=shown[0], limit=70)
        second = browser.next("history")
        browser.send(type="history", room=room, before=second["messages"][0]["seq"], limit=70)
        third = browser.next("history")

    assert shown == list(range(81, 131))
    assert ([message["seq"] for message in second["messages"]], second["more"]) == (list(range(11, 81)), True)
    assert ([message["seq"] for message in third["messages"]], third["more"]) == (list(range(1, 11)), False)
    assert {"seq", "ts", "nick", "door", "kind", "text", "room"} <= set(third["messages"][0])


def test_a_page_of_history_has_three_hundred_messages_at_most(start: Start) -> None:
    gateway = start("--limits.messages_per_second", 0)
    with Browser(gateway.web) as browser:
        for number in range(310):
            browser.post(f"m{number}")
        browser.texts_until("m309")
        browser.send(type="history", room="lobby", limit=1000)
        page = browser.next("history")

    assert (len(page["messages"]), page["messages"][-1]["seq"], page["more"]) == (300, 310, True)


def test_a_resumed_room_gets_what_was_missed_and_then_live_without_a_seam(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room) as browser:
        epoch = browser.joined[room]["epoch"]
        for number in range(1, 11):
            browser.say(f"m{number}", room)
    with Browser(shared.web, hello=False) as back:
        back.send(type="hello", rooms=[{"room": room, "epoch": epoch, "after": 4}])
        assert back.next("joined")["recovered"] is True
        back.post("m11", room)
        assert back.texts_until("m11") == [f"m{number}" for number in range(5, 12)]


@pytest.mark.parametrize("place", [{"epoch": "unknown-epoch", "after": 1}, {"after": 1}, {"after": 2**62}])
def test_a_position_that_means_nothing_is_not_recovered(
    shared: Gateway, room: str, place: dict[str, str | int]
) -> None:
    with Browser(shared.web, room) as browser:
        epoch = browser.joined[room]["epoch"]
        browser.say("one", room)
    if place["after"] == 2**62:
        place["epoch"] = epoch
    with Browser(shared.web, hello=False) as back:
        back.send(type="hello", rooms=[{"room": room} | place])
        assert back.next("joined")["recovered"] is False
        assert [message["text"] for message in back.next("history")["messages"]] == ["one"]


def test_a_nick_is_changed_answered_and_told(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="before") as browser, Browser(shared.web, room) as other:
        browser.until(lambda found: found["type"] == "presence")
        browser.send(type="nick", nick="afterwards", id="n1")
        assert browser.until(lambda found: found.get("id") == "n1")[-1]["type"] != "error"
        renamed = other.until(lambda found: found["type"] == "presence" and found["renamed"])[-1]["renamed"]
        assert renamed == [{"from": "before", "to": "afterwards"}]
        browser.send(type="nick", nick=other.nick, id="n2")
        assert browser.until(lambda found: found.get("id") == "n2")[-1]["code"] in ("nick_taken", "nick_invalid")


@pytest.mark.parametrize("nick", ["", "a b", "*", "[x]", "bob:", "#x", "x" * 33, "\u202enimda", "admin", "guest-0001"])
def test_a_nick_that_mimics_or_breaks_something_is_refused(shared: Gateway, nick: str) -> None:
    with Browser(shared.web) as browser:
        browser.send(type="nick", nick=nick, id="n")
        assert browser.until(lambda found: found.get("id") == "n")[-1]["type"] == "error"


def answer_to(id: str) -> Callable[[Json], bool]:
    return lambda found: found.get("id") == id


def test_look_alikes_of_somebody_here_are_taken(shared: Gateway) -> None:
    with Browser(shared.web, nick="paolo"), Browser(shared.web) as browser:
        for nick in ("PAOLO", "p\u0430olo", "\uff50aolo"):
            browser.send(type="nick", nick=nick, id=nick)
            assert browser.until(answer_to(nick))[-1]["code"] == "nick_taken"


def test_a_ping_is_answered(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        browser.send(type="ping", id="p1")
        assert browser.next("pong") == {"type": "pong", "id": "p1"}


# Presence


def test_presence_tells_who_came_and_left_with_the_count(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="watch") as watch:
        watch.until(lambda found: found["type"] == "presence")
        with Browser(shared.web, room, nick="passer"):
            came = watch.next("presence")
        went = watch.next("presence")

    assert came == {
        "type": "presence", "room": room, "joined": [{"nick": "passer", "door": "web"}],
        "left": [], "renamed": [], "count": 2,
    }  # fmt: skip
    assert (went["joined"], went["left"], went["count"]) == ([], ["passer"], 1)


def test_presence_is_netted_and_comes_once_a_second_at_most(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="watch2") as watch, Browser(shared.web, room, nick="fickle") as fickle:
        watch.until(lambda found: found["type"] == "presence" and "fickle" in str(found["joined"]))
        for number in range(5):
            fickle.send(type="nick", nick=f"fickle{number}", id=f"n{number}")
        told = watch.next("presence")

    assert told["renamed"] == [{"from": "fickle", "to": "fickle4"}]


def test_in_a_crowd_only_the_count_changes_and_terminals_hear_nothing(shared: Gateway, room: str) -> None:
    crowd: list[Browser] = []
    with Browser(shared.web, room) as watch, Terminal(shared.tcp) as terminal:
        terminal.send(f"/join {room}")
        terminal.until("you are in")
        crowd += [Browser(shared.web, room) for _ in range(52)]
        told = watch.until(lambda found: found["type"] == "presence" and found["count"] == 54)
        for browser in crowd[:8]:
            browser.close()
        told += watch.until(lambda found: found["type"] == "presence" and found["count"] == 46)
        last = told[-1]
        crowded = [each for each in told if each["type"] == "presence" and each["count"] > 50]
        watch.say("nobody else here", room)
        lines = terminal.until("nobody else here")
        for browser in crowd[8:]:
            browser.close()

    assert [(each["joined"], each["left"]) for each in [*crowded, last]] == [([], [])] * (len(crowded) + 1)
    assert not [line for line in lines if line.endswith((" joined (web)", " left"))]


# Private words


def test_a_private_message_reaches_two_people_and_no_room(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="anna") as anna, Terminal(shared.tcp).named("bert") as bert:
        ack = anna.say("/msg bert psst", room)
        assert bert.until("psst") == ["[anna -> you] psst"]
        bert.send("/msg anna what?")
        assert bert.until("what") == ["[you -> anna] what?"]
        private = anna.until(lambda found: found["type"] == "private" and found["from"] == "bert")[-1]
        assert (private["to"], private["text"]) == ("anna", "what?")
        assert isinstance(private["ts"], int)
        assert (ack["type"], "seq" in ack) == ("ack", False)
        assert anna.say("/msg nobody-here x", room)["code"] == "no_such_user"
    assert Browser(shared.web, room).history[room] == []


# What is wrong


def test_an_unknown_type_is_told_with_its_id(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        browser.send(type="dance", id="d1")
        error = browser.next("error")
        assert (error["code"], error["id"]) == ("unknown_type", "d1")


SAY = '{"type":"say","room":"lobby","text":'
NO_REQUESTS = [
    "", "null", "[]", '"x"', "{", "{}", '{"type":1}', '{"t":1}', '{"type":"say"}', f"{SAY}5}}", f'{SAY}"x","id":""}}',
    f'{SAY}"x","id":"{"i" * 65}"}}', "[" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_REQUESTS, ids=range(len(NO_REQUESTS)))
def test_a_message_that_is_no_request_is_bad(shared: Gateway, text: str) -> None:
    with Browser(shared.web) as browser:
        browser.socket.send(text)
        assert browser.next("error")["code"] in ("bad_message", "unknown_type")
        assert browser.say("still here")["type"] == "ack"


def test_ten_bad_messages_in_a_minute_close(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        for _ in range(10):
            browser.socket.send("?")
        errors = []
        with pytest.raises(ConnectionClosed):
            while True:
                found = browser.receive()
                errors += [found["code"]] if found["type"] == "error" else []
    assert errors == ["bad_message"] * 10
    assert browser.socket.close_code == 1008


def test_binary_is_refused(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        browser.socket.send(b"\x00\x01")
        assert browser.closed()[0] == 1003


def test_a_message_of_64_kib_is_read_and_a_longer_one_closes(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        browser.socket.send("x" * MESSAGE_BYTES)
        assert browser.next("error")["code"] == "bad_message"
        browser.socket.send("x" * (MESSAGE_BYTES + 1))
        assert browser.closed()[0] == 1009


def test_text_that_is_not_utf_8_closes(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        browser.socket.send(b'{"type":"ping","id":"\xff\xfe"}', text=True)
        assert browser.closed()[0] == 1007


@pytest.mark.parametrize(
    "frame", [b"\x81\x02hi", b"\xc1\x80abcd", b"\x89\xfe\x00\x7eabcd" + bytes(126), b"\x80\x80abcd"],
    ids=["unmasked", "reserved-bit", "long-ping", "continuation-first"],
)  # fmt: skip
def test_a_frame_against_the_rules_closes(shared: Gateway, frame: bytes) -> None:
    with Browser(shared.web) as browser:
        write(browser.socket, frame)
        assert browser.closed()[0] == 1002


def write(connection: ClientConnection, data: bytes) -> None:
    """Put bytes on the wire below the library."""
    plain: socket.socket = connection.socket
    plain.sendall(data)


# The handshake


@pytest.mark.parametrize("foreign", ["https://evil.example", "null", f"http://{HOST}.evil.example", f"http://{HOST}:1"])
def test_a_foreign_origin_is_refused(shared: Gateway, foreign: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        Browser(shared.web, origin=origin(foreign))
    assert refusal.value.response.status_code == 403


def test_our_own_origin_is_accepted_and_a_missing_one_only_without_a_cookie(shared: Gateway) -> None:
    with Browser(shared.web, origin=origin(f"http://{HOST}:{shared.web}")) as browser:
        assert browser.welcome
    assert refused_upgrade(shared.web, Cookie="gateway_session=x") == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example"}, 403),
        ({"Content_Length": "5"}, 400),
        ({"Transfer_Encoding": "chunked"}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Connection": "keep-alive"}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({}, 101),
    ],
)
def test_an_upgrade_is_whole_and_clean_or_refused(shared: Gateway, headers: dict[str, str], status: int) -> None:
    assert refused_upgrade(shared.web, **headers) == status


def test_what_follows_a_refused_upgrade_is_not_served(shared: Gateway) -> None:
    upgrade = "GET /ws HTTP/1.1\r\nHost: x.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    answer = raw(shared.web, f"{upgrade}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert answer.count(b"HTTP/1.1 ") == 1


def test_the_subprotocol_is_chosen_also_when_none_or_others_are_offered(shared: Gateway) -> None:
    for offered, chosen in ((["chat.v1.json"], "chat.v1.json"), (["x", "chat.v1.json"], "chat.v1.json")):
        with Browser(shared.web, subprotocols=subprotocols(*offered)) as browser:
            assert browser.socket.subprotocol == chosen
    with Browser(shared.web) as browser:
        assert browser.socket.subprotocol is None


def test_compression_is_not_taken(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        assert browser.socket.response is not None
        assert "Sec-WebSocket-Extensions" not in browser.socket.response.headers


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_the_others_go_on_when_one_leaves_in_any_way(shared: Gateway, room: str, ending: str) -> None:
    with Browser(shared.web, room) as stayer:
        leaver = Browser(shared.web, room)
        if ending == "close":
            leaver.close()
        else:
            leaver.socket.socket.shutdown(socket.SHUT_RDWR)
        assert stayer.say("still here", room)["type"] == "ack"
