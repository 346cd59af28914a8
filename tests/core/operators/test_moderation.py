"""What operators do, in a world without sockets."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.core.answer import Answer
from gateway.core.clock import SLICE
from gateway.core.doors.post import Post, Posting
from gateway.core.operators.announcements import ANNOUNCEMENTS_BURST
from gateway.core.operators.audit import STRANGERS_BURST, Outcome
from gateway.core.operators.commands import OPERATOR_COMMANDS, OperatorPrompt
from gateway.core.operators.whom import Subject
from gateway.core.ports.ledger import AuditPage, AuditQuery
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import PLAIN
from gateway.core.roles import AuditEntry, Operator, Role
from gateway.errors import Code, JournalError, Refusal
from tests.core.world import Peer, World
from tests.fakes import RecordingTransport

ADMIN = Operator("ana", Role.ADMIN, "web 10.0.0.9")
OPERATOR = Operator("otto", Role.OPERATOR, "web 10.0.0.8")
VIEWER = Operator("vera", Role.VIEWER, "web 10.0.0.7")
UNTIL = r"until \d\d:\d\d"


@pytest.fixture
def world() -> World:
    return World()


def do(world: World, verb: str, *words: Any, **more: Any) -> Any:
    """Do it, tick, and return the outcome."""
    answers: list[Outcome | Refusal] = []
    getattr(world.operators.moderation, verb)(*words, **more).then(answers.append)
    world.run()
    (answer,) = answers
    return answer


def audit(world: World) -> list[AuditEntry]:
    """The record, oldest first."""
    pages: list[AuditPage] = []
    world.operators.audit.read(VIEWER, AuditQuery(limit=500)).then(pages.append)  # type: ignore[arg-type]
    return list(reversed(pages[0].entries))


def results(world: World) -> list[tuple[str, str, str]]:
    return [(entry.who, entry.action, entry.result.partition(":")[0]) for entry in audit(world)]


def at(world: World, address: str, door: Door = Door.TCP) -> Peer:
    """A terminal that comes from somewhere."""
    transport = RecordingTransport()
    peer = Peer(world, world.terminals.connect(transport, PLAIN, Arrival(door, address, terminal=True)), transport)
    world.later(0.2)
    peer.forget()
    return peer


# Kick


def test_a_kick_tells_the_reason_and_is_recorded(world: World) -> None:
    bob = world.terminal("bob")
    do(world, "kick", OPERATOR, Subject(bob.session.id), "too loud")
    assert bob.lines == ["!! kicked: too loud"]
    assert bob.transport.closed == (CloseReason.KICKED, "too loud")
    (entry,) = audit(world)
    assert entry == AuditEntry(
        1, entry.at, "otto", "web 10.0.0.8", "kick", f"bob ({bob.session.id}, 127.0.0.1)", "too loud", "done"
    )  # fmt: skip


def test_a_kick_never_hits_a_newcomer_with_the_same_nick(world: World) -> None:
    gone = world.terminal("bob")
    world.hub.disconnect(gone.session, CloseReason.LEFT)
    newcomer = world.terminal("bob")
    assert do(world, "kick", ADMIN, Subject(gone.session.id), "").code is Code.NO_SUCH_USER
    assert not newcomer.session.closed
    assert results(world) == [("ana", "kick", "gone")]


def test_a_kick_may_ban_and_is_then_the_administrators_only(world: World) -> None:
    bob, guest = world.terminal("bob"), at(world, "10.0.0.4")
    assert do(world, "kick", OPERATOR, Subject(bob.session.id), "", seconds=60).code is Code.FORBIDDEN
    assert do(world, "kick", ADMIN, Subject(bob.session.id), "spam", seconds=60).sanctions[0].target == "bob"
    assert do(world, "kick", ADMIN, Subject(guest.session.id), "", seconds=60).sanctions[0].target == "10.0.0.4"
    assert bob.transport.closed and bob.transport.closed[0] is CloseReason.BANNED
    assert [action for _, action, _ in results(world)] == ["kick", "kick", "ban", "kick", "ban"]


def test_a_guest_from_this_machine_is_banned_by_nick(world: World) -> None:
    guest = world.terminal()
    assert do(world, "kick", ADMIN, Subject(guest.session.id), "", seconds=60).sanctions[0].target == guest.session.nick


@pytest.mark.parametrize("verb", ["kick", "ban", "mute"])
def test_operators_cannot_act_on_themselves_or_on_equals(world: World, verb: str) -> None:
    boss, bob = world.terminal("boss"), world.terminal("bob")
    boss.session.operator = ADMIN._replace(name="boss")
    more = [""] if verb == "kick" else ["", None]
    for operator in (ADMIN, OPERATOR, boss.session.operator):
        refusal = do(world, verb, operator, Subject(nick="boss"), *more)
        assert refusal.code in (Code.FORBIDDEN, Code.BAD_MESSAGE)
    bob.session.operator = OPERATOR
    assert isinstance(do(world, verb, ADMIN, Subject(nick="bob"), *more), Outcome)
    assert not boss.session.closed


# Bans


def test_a_ban_by_nick_closes_and_keeps_out(world: World) -> None:
    bob, page = world.terminal("bob"), world.browser("eve")
    token = page.told("welcome")[0]["token"]
    outcome = do(world, "ban", ADMIN, Subject(nick="BOB"), "spam", 600)
    assert (outcome.connections, outcome.sanctions[0].until) == (1, world.hub.clock.wall() + 600_000)
    assert bob.lines[0].startswith("!! banned: until ") and bob.lines == []
    do(world, "ban", ADMIN, Subject(page.session.id), "", None)
    assert page.transport.closed == (CloseReason.BANNED, "for ever")

    again = world.terminal()
    again.says("/nick b0b")
    assert again.lines[0].startswith("!! banned: until ") and again.lines == []
    back = world.browser(token=token)
    assert back.transport.closed == (CloseReason.BANNED, "for ever")
    assert [each["type"] for each in back.objects] == ["standing", "bye"]
    other = world.browser("eve")
    assert other.told("error")[0]["code"] == "banned"


def test_a_banned_terminal_does_not_come_back_by_its_code(world: World) -> None:
    bob = world.terminal("bob")
    bob.says("/resume")
    code = bob.lines[0].split()[2]
    do(world, "ban", ADMIN, Subject(nick="bob"), "", None)
    again = world.terminal()
    again.says(f"/resume {code}")
    assert again.lines == ["!! banned: for ever"]
    assert again.session.closed


def test_a_ban_by_address_closes_every_door_and_nobody_else(world: World) -> None:
    inside, mapped, outside = at(world, "10.0.0.4"), at(world, "::ffff:10.1.1.1"), at(world, "11.0.0.4")
    assert do(world, "ban", ADMIN, Subject(address="10.0.0.0/8"), "", 60, sure=True).connections == 2
    assert inside.session.closed and mapped.session.closed and not outside.session.closed
    newcomer = at(world, "10.7.7.7")
    assert world.hub.turn_away(newcomer.session) and not world.hub.turn_away(outside.session)


def test_many_are_closed_in_slices(world: World) -> None:
    crowd = [at(world, "10.0.0.4") for _ in range(3)]
    sessions = [world.hub.connect(RecordingTransport(), PLAIN, Arrival(Door.TCP, "10.0.0.4")) for _ in range(2 * SLICE)]
    answers: list[Any] = []
    world.operators.moderation.ban(ADMIN, Subject(address="10.0.0.4"), "", None).then(answers.append)
    assert answers[0].connections == 2 * SLICE + 3
    assert SLICE <= sum(not session.closed for session in sessions) <= SLICE + 3
    world.run()
    assert all(session.closed for session in [*sessions, *(peer.session for peer in crowd)])


@pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0", "127.0.0.1", "10.0.0.9", "10.0.0.0/8"])
def test_what_nobody_means_to_ban_needs_to_be_sure(world: World, address: str) -> None:
    refusal = do(world, "ban", ADMIN, Subject(address=address), "", 60)
    assert (refusal.code, '"sure": true' in refusal.text) == (Code.BAD_MESSAGE, True)
    assert not world.hub.bans.holding()
    assert isinstance(do(world, "ban", ADMIN, Subject(address=address), "", 60, sure=True), Outcome)


@pytest.mark.parametrize("seconds", [0, -1, 10**12])
def test_an_end_is_ahead_and_not_absurd(world: World, seconds: int) -> None:
    assert do(world, "ban", ADMIN, Subject(nick="bob"), "", seconds).code is Code.BAD_MESSAGE


def test_the_last_ban_on_a_target_counts_and_the_record_has_both(world: World) -> None:
    first = do(world, "ban", ADMIN, Subject(nick="bob"), "", 60).sanctions[0]
    second = do(world, "ban", ADMIN, Subject(nick="Bob"), "", 600).sanctions[0]
    assert world.hub.bans.holding() == [second]
    assert do(world, "unban", ADMIN, first.id).code is Code.NO_SUCH_USER
    assert do(world, "unban", ADMIN, second.id).lifted == [second]
    assert not world.hub.bans.holding()
    assert [result for *_, result in results(world)] == ["done", "done", "gone", "done"]


def test_lifting_what_is_banned_by_a_wider_range_says_so(world: World) -> None:
    do(world, "ban", ADMIN, Subject(address="10.5.0.0/16"), "", None)
    assert "10.5.0.0/16 is" in do(world, "unban", ADMIN, "10.5.0.4").text
    assert isinstance(do(world, "unban", ADMIN, "10.5.9.9/16"), Outcome)


def test_bans_and_mutes_are_recalled_with_the_next_start(world: World) -> None:
    page = world.browser("eve")
    do(world, "ban", ADMIN, Subject(nick="bob"), "", None)
    do(world, "mute", ADMIN, Subject(nick="eve"), "", None)
    before = world.hub.bans.holding(), world.hub.mutes.holding()
    world.operators.moderation.start()
    assert (world.hub.bans.holding(), world.hub.mutes.holding()) == before
    page.asks(type="nick", nick="innocent")
    page.forget()
    page.asks(type="say", room="lobby", text="hi", id="c1")
    assert page.told("error")[0]["code"] == "muted"


# Mutes


def test_a_muted_person_reads_and_cannot_speak(world: World) -> None:
    bob, ana = world.terminal("bob"), world.terminal("ana")
    do(world, "mute", OPERATOR, Subject(bob.session.id), "caps", 600)
    bob.forget()
    bob.says("HELLO", "/me shouts", "/msg ana hello", "/topic ME")
    assert [line.split(":")[0] for line in bob.lines] == ["!! muted"] * 4
    ana.says("peace")
    assert bob.lines == ["ana: peace"] and ana.lines == []


def test_a_mute_follows_the_person_and_not_the_nick(world: World) -> None:
    bob = world.terminal("bob")
    do(world, "mute", OPERATOR, Subject(bob.session.id), "", None)
    bob.says("/nick bobby", "still here")
    assert bob.lines == ["-- you are muted for ever: you may read on", "-- you are bobby", "!! muted: for ever"]
    assert isinstance(do(world, "unmute", OPERATOR, "bobby"), Outcome)
    bob.says("free")
    assert bob.lines == ["-- you may speak again"]


def test_a_mute_holds_for_a_page_that_comes_back(world: World) -> None:
    page = world.browser("eve")
    token = page.told("welcome")[0]["token"]
    do(world, "mute", OPERATOR, Subject(page.session.id), "", None)
    world.hub.disconnect(page.session, CloseReason.LOST)
    back = world.browser(token=token)
    back.asks(type="nick", nick="innocent")
    back.forget()
    back.asks(type="say", room="lobby", text="hi", id="c1")
    assert [(each["id"], each["code"]) for each in back.told("error")] == [("c1", "muted")]


def test_a_second_try_of_what_was_said_before_the_mute_is_acknowledged(world: World) -> None:
    page = world.browser("eve")
    page.asks(type="say", room="lobby", text="hi", id="c1")
    do(world, "mute", OPERATOR, Subject(nick="eve"), "", None)
    page.forget()
    page.asks(type="say", room="lobby", text="hi", id="c1")
    assert [each["type"] for each in page.objects] == ["ack"]


@pytest.mark.parametrize(
    ("verb", "whom", "code"),
    [
        ("ban", Subject(nick="ci"), Code.BANNED), ("ban", Subject(address="10.0.0.4"), Code.BANNED),
        ("mute", Subject(nick="ci"), Code.MUTED), ("mute", Subject(address="10.0.0.4"), Code.MUTED),
    ],
)  # fmt: skip
def test_posting_is_refused_too(world: World, verb: str, whom: Subject, code: Code) -> None:
    do(world, verb, ADMIN, whom, "", None)
    answers: list[Any] = []
    try:
        Posting(world.hub).post(Post("lobby", "hi", "ci", "c1", address="10.0.0.4")).then(answers.append)
    except Refusal as refusal:
        answers.append(refusal)
    world.run()
    assert [answer.code for answer in answers] == [code]


# Words


def test_an_announcement_reaches_whom_it_is_for(world: World) -> None:
    bob, page, telnet = world.terminal("bob"), world.browser("eve"), at(world, "10.0.0.4", Door.TELNET)
    page.forget()
    assert do(world, "announce", ADMIN, "hello\nall").connections == 3
    assert bob.lines == ["-- [announcement] hello", "-- all"]
    assert page.told("notice")[0]["text"] == "[announcement] hello\nall"
    assert do(world, "announce", ADMIN, "x", door=Door.TELNET).connections == 1
    assert do(world, "announce", ADMIN, "x", room="#Lobby").connections == 3
    assert do(world, "announce", ADMIN, "x", room="ops").connections == 0
    assert telnet.lines[-1] == "-- [announcement] x" and len(telnet.lines) == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [("", Code.BAD_TEXT), ("\x1b[2J", Code.BAD_TEXT), ("x" * 9000, Code.TOO_LONG), ("\ud800", Code.BAD_TEXT)],
)
def test_an_announcement_passes_the_gate(world: World, words: str, code: Code) -> None:
    assert do(world, "announce", ADMIN, words).code is code


def test_announcements_are_paced(world: World) -> None:
    answers = [do(world, "announce", ADMIN, "x") for _ in range(ANNOUNCEMENTS_BURST + 1)]
    assert [isinstance(answer, Outcome) for answer in answers].count(True) == ANNOUNCEMENTS_BURST
    assert answers[-1].code is Code.RATE_LIMITED
    world.later(2)
    assert isinstance(do(world, "announce", ADMIN, "x"), Outcome)


def test_one_connection_is_told_something(world: World) -> None:
    bob, ana = world.terminal("bob"), world.terminal("ana")
    do(world, "message", OPERATOR, Subject(bob.session.id), "please stop\x07")
    assert bob.lines == ["-- [operator] please stop"] and ana.lines == []
    assert do(world, "message", OPERATOR, Subject("fff"), "x").code is Code.NO_SUCH_USER


# Rights and the record


RIGHTS = [
    ("kick", (Subject(nick="bob"), ""), Role.OPERATOR), ("mute", (Subject(nick="bob"), "", None), Role.OPERATOR),
    ("unmute", ("bob",), Role.OPERATOR), ("message", (Subject(nick="bob"), "hi"), Role.OPERATOR),
    ("ban", (Subject(nick="bob"), "", None), Role.ADMIN), ("unban", ("bob",), Role.ADMIN),
    ("announce", ("hi",), Role.ADMIN),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "words", "least"), RIGHTS)
@pytest.mark.parametrize("operator", [VIEWER, OPERATOR, ADMIN])
def test_a_role_may_do_what_it_allows(
    world: World, verb: str, words: tuple[Any, ...], least: Role, operator: Operator
) -> None:
    bob = world.terminal("bob")
    answer = do(world, verb, operator, *words)
    refused = isinstance(answer, Refusal) and answer.code is Code.FORBIDDEN
    assert refused == (operator.role < least)
    assert len(audit(world)) == 1 and audit(world)[0].who == operator.name
    if refused:
        assert not bob.session.closed and not bob.lines and not world.hub.bans.holding()


def test_if_the_ledger_fails_it_is_done_and_the_operator_told(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, expected_errors: list[str]
) -> None:
    expected_errors.append("not stored: ")
    bob, eve = world.terminal("bob"), world.terminal("eve")
    ledger = world.operators.audit.ledger

    def fail(entries: Any, **more: Any) -> Answer[JournalError]:
        return Answer.of(JournalError("journal: /srv/some where/chat.db is on a full disk"))

    monkeypatch.setattr(ledger, "record", fail)
    with caplog.at_level("INFO", "gateway.audit"):
        answer = do(world, "ban", ADMIN, Subject(nick="bob"), "", None)
        kick = do(world, "kick", ADMIN, Subject(eve.session.id), "")
    failed = "in the audit log: the journal failed: chat.db is on a full disk"
    assert answer.code is Code.STORAGE and answer.text.endswith(f"but only until a restart and not {failed}")
    assert kick.text == f"eve is kicked, but that is not {failed}"
    assert bob.session.closed and world.hub.bans.on_nick("bob")
    assert any('action="ban" target="bob"' in record.getMessage() for record in caplog.records)


def test_strangers_cannot_fill_the_record(world: World) -> None:
    eve = world.terminal("eve")
    eve.says(*["/kick bob"] * (STRANGERS_BURST + 30))
    assert set(eve.lines) == {"!! forbidden: only operators can do that"}
    assert STRANGERS_BURST <= len(audit(world)) <= STRANGERS_BURST + 2
    world.later(15)
    eve.says("/wall hi")
    last = audit(world)[-1]
    assert (last.who, last.source, last.action, last.target) == ("eve", "tcp 127.0.0.1", "wall", "hi")
    assert "more attempts" in last.reason


# Terminals, pages, console


@pytest.mark.parametrize("order", [order.name for order in OPERATOR_COMMANDS])
def test_operator_commands_need_a_login(world: World, order: str) -> None:
    eve, page = world.terminal("eve"), world.browser("pia")
    page.forget()
    eve.says(f"/{order} eve")
    page.asks(type="say", room="lobby", text=f"/{order} eve", id="c1")
    assert eve.lines == ["!! forbidden: only operators can do that"]
    assert [(each["code"], each["id"]) for each in page.told("error")] == [("forbidden", "c1")]
    assert results(world) == [("eve", order, "refused"), ("pia", order, "refused")]


def test_an_operator_logs_in_and_gives_orders(world: World) -> None:
    book = world.passwords
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("/help")
    assert not any("/kick" in line for line in ana.lines)
    ana.says("/login otto right horse")
    assert ana.lines == ["-- you are otto, operator: /help lists what you may do"]
    ana.says("/help")
    listed = ana.lines
    assert any(line.startswith("-- you operate:") and "/kick" in line for line in listed) and len(listed) < 24
    ana.says("/mute bob 10m caps", "/ban bob", "/kick bob enough", "/kick bob", "/kick", "/mute bob 10", "/kick ana")
    muted, ban, kicked, gone, empty, bare, own = ana.lines
    assert muted.startswith("-- bob is muted until ")
    assert ban == "!! forbidden: only admins can do that; you are otto (operator)"
    assert (kicked, gone) == ("-- bob is kicked", "!! no_such_user: nobody here is called bob")
    assert empty.startswith("!! bad_message: say kick NICK") and "10m are minutes" in bare
    assert own == "!! bad_message: that is you: /quit leaves"
    assert bob.session.closed and book.tried == [("otto", "right horse", "127.0.0.1")]
    assert [entry.result.partition(":")[0] for entry in audit(world)] == [
        "done", "done", "refused", "done", "gone", "refused", "refused", "refused"
    ]  # fmt: skip


UNSEEN = ["\ufeff", "\x00", "\x1b[0m", "\u202a", "\u200b\u3000"]


@pytest.mark.parametrize(
    "line",
    ["/login wrong horse battery", "/login", "/LOGIN wrong", "  /login wrong horse"]
    + [f"{each}/Login wrong horse" for each in UNSEEN],
)
def test_a_password_is_never_shown_to_anybody(world: World, line: str, caplog: pytest.LogCaptureFixture) -> None:
    eve, ana, far = world.terminal("eve"), world.terminal("ana"), at(world, "10.0.0.4")
    with caplog.at_level("DEBUG"):
        eve.says("/echo on", line)
        far.says(line)
        world.later(2)
    assert world.hub.rooms["lobby"].log.head == 0 and "horse" not in str(ana.lines) + caplog.text
    assert "horse" not in "".join(far.lines + eve.lines) and eve.session.operator is None
    assert "horse" not in str(audit(world)) and not eve.session.held
    if "wrong" in line:
        assert len(audit(world)) == 2


def test_a_record_holds_no_line_of_its_own_making(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        world.operators.audit.note(ADMIN, "ban", "x\ny", "a\u2028b", "refused: no field `c\n\u2028\u0085d`")
    (entry,) = audit(world)
    assert (entry.target, entry.reason, entry.result) == ("x y", "a b", "refused: no field `c   d`")
    assert len(caplog.messages[0].splitlines()) == 1


def test_a_password_goes_only_over_what_nobody_reads(world: World) -> None:
    book = world.passwords
    far = at(world, "10.0.0.4")
    far.says("/login right horse")
    assert far.lines[0].startswith("!! forbidden: a password goes only over TLS") and not book.tried
    far.session.arrival = replace(far.session.arrival, encrypted=True)
    far.says("/login x right horse")
    assert book.tried == [("x", "right horse", "10.0.0.4")] and far.session.operator is not None


def test_the_console_gives_the_same_orders(world: World) -> None:
    prompt, bob = OperatorPrompt(world.hub, world.operators), world.terminal("bob")
    printed: list[str] = []
    for line in ("who", "ban bob 1h spam", "unban bob", "/wall hi", "kick nobody", "ban 10.0.0.0/8 10m", "nonsense"):
        prompt.hear(line).then(printed.append)
    world.run()
    assert printed[0] == f"1 person\n{bob.session.id:<6}bob  tcp 127.0.0.1  #lobby"
    assert printed[1].startswith("bob is banned until ") and printed[1].endswith(", 1 connection closed")
    assert printed[2:5] == ["bob is no longer banned", "announced to 0", "no_such_user: nobody here is called nobody"]
    assert printed[5].startswith("10.0.0.0/8 is banned until ")
    assert printed[6].startswith("unknown_command")
    assert {entry.who for entry in audit(world)} == {"console"} and len(audit(world)) == 5


# What people are told of their standing


def test_a_mute_and_its_end_are_told_to_all_connections() -> None:
    world = World()
    root = world.terminal("root")
    root.says("/login root right horse")
    page = world.browser("ana")
    token = page.told("welcome")[0]["token"]
    tab = world.browser(token=token)
    for peer in (page, tab):
        peer.forget()
    root.says("/mute ana 10m caps")
    for peer in (page, tab):
        (told,) = peer.told("standing")
        assert (told["muted"], told["banned"], told["reason"]) == (True, False, "caps")
        assert told["muted_until"] == world.hub.clock.trusted.now() + 600_000
    again = world.browser(token=token)
    assert again.told("welcome")[0]["standing"]["muted"] is True
    root.says("/unmute ana")
    assert [each["muted"] for each in page.told("standing")] == [False]
    assert "standing" not in world.browser(token=token).told("welcome")[0]


def test_a_mute_and_its_end_are_told_to_terminals() -> None:
    world = World()
    root, bob = world.terminal("root"), world.terminal("bob")
    root.says("/login root right horse", "/mute bob 10m caps")
    (line,) = bob.lines
    assert line.startswith("-- you are muted until ")
    assert line.endswith(", caps: you may read on")
    root.says("/unmute bob")
    assert bob.lines == ["-- you may speak again"]


def test_the_end_of_a_mute_by_itself_is_told_also_after_a_restart() -> None:
    world = World()
    page, bob = world.browser("ana"), world.terminal("bob")
    world.later(3)
    do(world, "mute", ADMIN, Subject(nick="bob"), "caps", 10)
    do(world, "mute", ADMIN, Subject(nick="ana"), "caps", 20)
    world.operators.moderation.start()
    bob.forget()
    page.forget()
    world.later(9.8)
    assert bob.lines == []
    world.later(0.4)
    assert bob.lines == ["-- you may speak again"] and page.told("standing") == []
    do(world, "mute", ADMIN, Subject(nick="ana"), "", 600)
    page.forget()
    world.later(10)
    assert page.told("standing") == []  # the longer mute has taken its place
    world.later(591)
    assert [each["muted"] for each in page.told("standing")] == [False]


def test_who_was_muted_under_another_name_is_told_of_the_end() -> None:
    world = World()
    root, bob, page = world.terminal("root"), world.terminal("bob"), world.browser("ana")
    root.says("/login root right horse", "/mute bob", "/mute ana")
    for peer in (bob, page):
        world.hub.rename(peer.session, f"{peer.session.nick}2")
        peer.forget()
    root.says("/unmute bob2", "/unmute ana2")
    assert bob.lines == ["-- you may speak again"]
    assert [each["muted"] for each in page.told("standing")] == [False]


def test_a_mute_of_an_address_is_told_to_everybody_there() -> None:
    world = World()
    page = world.browser("ana")
    page.forget()
    operator = Operator("root", Role.ADMIN, "console")
    world.operators.moderation.mute(operator, Subject(address="127.0.0.1"), "noise", 60, sure=True)
    world.run()
    assert [each["reason"] for each in page.told("standing")] == ["noise"]


def test_a_ban_is_told_before_the_bye_and_when_the_page_comes_again() -> None:
    world = World()
    root = world.terminal("root")
    root.says("/login root right horse")
    page = world.browser("ana")
    token = page.told("welcome")[0]["token"]
    page.forget()
    root.says("/ban ana 10m spam")
    again = world.browser(token=token)
    for peer in (page, again):
        told = peer.objects
        assert [each["type"] for each in told] == ["standing", "bye"]
        assert (told[0]["banned"], told[0]["reason"]) == (True, "spam")
        assert told[0]["banned_until"] == world.hub.clock.trusted.now() + 600_000


def test_an_operator_is_told_the_role() -> None:
    world = World()
    page = world.browser("ana")
    page.forget()
    page.asks(type="say", room="lobby", text="/login otto right horse")
    assert [each["role"] for each in page.told("standing")] == ["operator"]
