"""The two servers of the origin, in the test's own thread: whole lines, and a client's end ends nobody else."""

from collections.abc import Callable

import pytest

from gateway import classic as module
from gateway.classic import OWED_BYTES, ClassicServer
from gateway.tcp.listener import Listener
from gateway.tcp.server import Server
from tests.tcp.house import Caller, turn_until

Call = Callable[..., Caller]


def calls(server: Server, classic: bool) -> Call:
    """Callers at a plain server; each is registered before it says anything."""
    listener = server.listen("127.0.0.1", 0, ClassicServer(server, classic, 1000).accepted)

    def call(receive_buffer: int = 0) -> Caller:
        before = len(registered(server))
        caller = Caller(server, listener.address, receive_buffer)
        turn_until(server, lambda: len(registered(server)) > before)
        return caller

    return call


def registered(server: Server) -> list[module.ClassicConnection]:
    """Whose callbacks the selector's map holds, the listener's left out."""
    callers = [key.data.__self__ for key in server.selector.get_map().values()]
    return [each for each in callers if not isinstance(each, Listener)]


@pytest.fixture
def echo(server: Server) -> Call:
    return calls(server, classic=False)


@pytest.fixture
def classic(server: Server) -> Call:
    return calls(server, classic=True)


def line(caller: Caller, text: str) -> bytes:
    """A line of the origin."""
    return f"{caller.name} {text}\n".encode()


# Echo


def test_echo_answers_the_sender_alone(echo: Call) -> None:
    ana, bob = echo(), echo()
    ana.says(b"hello\n")
    ana.hears(line(ana, "hello"))
    bob.says_no_more()

    assert bob.hears_all() == b""


def test_many_lines_in_one_packet_are_all_answered_in_order(echo: Call) -> None:
    ana = echo()
    ana.says(b"".join(b"%d\n" % number for number in range(1000)))
    ana.says_no_more()

    assert ana.hears_all() == b"".join(line(ana, str(number)) for number in range(1000))


def test_a_line_cut_anywhere_is_answered_whole(echo: Call) -> None:
    ana = echo()
    text = "é😀"
    for cut in range(1, len(text.encode())):
        ana.says(text.encode()[:cut], text.encode()[cut:] + b"\n")
        ana.hears(line(ana, text))
        ana.forgets()


@pytest.mark.parametrize("size", [1024, 1025, 4096])
def test_a_line_longer_than_the_origins_packet_is_one_line(echo: Call, size: int) -> None:
    ana = echo()
    ana.says(b"x" * size + b"\n")
    ana.says_no_more()

    assert ana.hears_all() == line(ana, "x" * size)


@pytest.mark.parametrize("end", [b"\n", b""], ids=["with newline", "without"])
def test_the_last_line_counts_at_half_close(echo: Call, end: bytes) -> None:
    ana = echo()
    ana.says(b"one\ntwo" + end)
    ana.says_no_more()

    assert ana.hears_all() == line(ana, "one") + line(ana, "two")


def test_a_slow_reader_of_the_echo_misses_nothing(echo: Call, server: Server) -> None:
    ana = echo(receive_buffer=32768)
    for _ in range(100):
        ana.says((b"\xff" * 4000 + b"\n") * 4)
        ana.listens()
    ana.says_no_more()

    assert ana.hears_all() == line(ana, "\ufffd" * 4000) * 400


def test_an_echo_peer_that_does_not_read_is_not_read_either(echo: Call, server: Server) -> None:
    ana = echo(receive_buffer=4096)
    (peer,) = registered(server)
    with pytest.raises(BlockingIOError):
        for _ in range(10_000):
            ana.sock.send(b"x" * 4000 + b"\n")
            server.poll(0)

    assert len(peer._owed) <= OWED_BYTES


def test_a_line_too_long_is_one_error_and_the_next_one_works(echo: Call) -> None:
    ana = echo()
    ana.says(*[b"x" * 65536] * 16, b"\nnext\n")
    ana.says_no_more()
    error, answer = ana.hears_all().splitlines(keepends=True)

    assert error.startswith(b"!! too_long: ")
    assert answer == line(ana, "next")


def test_no_control_character_comes_back(echo: Call) -> None:
    ana = echo()
    ana.says(b"a\x1b[2Jb\x00c\xc2\x9b31md\n")

    ana.hears(line(ana, "abcd"))


# Classic


def test_every_line_goes_to_everybody_the_sender_included(classic: Call) -> None:
    ana, bob = classic(), classic()
    ana.says(b"hello\n")
    for reader in (ana, bob):
        reader.hears(line(ana, "hello"))


def test_the_sender_of_many_lines_in_one_packet_gets_each_back(classic: Call) -> None:
    ana, bob = classic(), classic()
    ana.says(b"".join(b"%d\n" % number for number in range(300)))
    bob.hears(line(ana, "299"))
    ana.hears(line(ana, "299"))

    assert ana.heard == bob.heard == b"".join(line(ana, str(number)) for number in range(300))


def test_quit_ends_only_the_client_that_said_it(classic: Call, server: Server) -> None:
    ana, bob, eve = classic(), classic(), classic()
    ana.says(b"bye\nquit\nnot said\n")
    assert ana.hears_all() == line(ana, "bye")
    bob.says(b"still here\n")
    eve.hears(line(bob, "still here"))

    assert b"not said" not in eve.heard


def test_a_thousand_lines_at_once_do_not_delay_anothers(classic: Call) -> None:
    ana, bob, eve = classic(), classic(), classic()
    ana.says(b"a\n" * 1000)
    bob.says(b"b\n")
    eve.hears(line(bob, "b"))

    assert eve.heard.count(line(ana, "a")) <= 3 * module.LINES_PER_TURN


def test_peers_that_die_during_a_broadcast_harm_neither_it_nor_the_loop(classic: Call, server: Server) -> None:
    callers = [classic() for _ in range(9)]
    for dead in callers[::2]:
        dead.resets()
    callers[1].says(b"who is left\n")
    for living in callers[1::2]:
        living.hears(line(callers[1], "who is left"))

    turn_until(server, lambda: len(registered(server)) == 4)


def test_a_peer_that_is_closed_while_the_registry_is_walked_is_passed_over(
    classic: Call, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, bob, eve = classic(), classic(), classic()
    monkeypatch.setattr(module.ClassicConnection, "say", closing_somebody(module.ClassicConnection.say, server))
    ana.says(b"hello\n")
    survivors = [caller for caller in (ana, bob, eve) if not over(caller)]

    assert len(survivors) == 2
    for survivor in survivors:
        survivor.hears(line(ana, "hello"))


def closing_somebody(say: Callable[..., None], server: Server) -> Callable[..., None]:
    """A `say` that closes another peer the first time, in the middle of the walk."""
    victims: list[module.ClassicConnection] = []

    def closing(peer: module.ClassicConnection, words: bytes) -> None:
        if not victims:
            victims.append(next(each for each in registered(server)[::-1] if each is not peer))
            victims[0]._close()
        say(peer, words)

    return closing


def over(caller: Caller) -> bool:
    caller.listens()
    return caller.ended == "closed"


def test_the_lines_before_a_reset_are_said_and_half_a_line_is_not(classic: Call, server: Server) -> None:
    ana, bob = classic(), classic()
    ana.sock.send(b"line\n" * 200 + b"half a li")
    ana.resets()
    bob.hears(line(ana, "line") * 200)
    turn_until(server, lambda: len(registered(server)) == 1)

    assert bob.heard == line(ana, "line") * 200


def test_no_closed_connection_stays_registered(classic: Call, server: Server) -> None:
    quits, ends, dies = classic(), classic(), classic()
    quits.says(b"quit\n")
    quits.says_no_more()
    ends.says_no_more()
    dies.resets()

    turn_until(server, lambda: not registered(server))


def test_a_peer_that_says_quit_and_never_closes_is_let_go(
    classic: Call, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER", 0.05)
    classic().says(b"quit\n", b"and talks on\n" * 1000)

    turn_until(server, lambda: not registered(server))


def test_a_stuck_reader_delays_nobody_and_is_told_what_it_missed(classic: Call, server: Server) -> None:
    stuck, ana, bob = classic(receive_buffer=4096), classic(), classic()
    for number in range(60):
        ana.says(b"%d " % number + (b"x" * 4000 + b"\n") * 20)
        bob.hears(line(ana, f"{number} " + "x" * 4000))
        ana.forgets()
        bob.forgets()
    stuck.hears(b" lines skipped\n")
    ana.says(b"the end\n")
    stuck.hears(line(ana, "the end"))


def test_what_goes_wrong_with_one_peer_ends_only_that_one(
    classic: Call,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    expected_errors: list[str],
) -> None:
    expected_errors.append(" failed\n")
    ana, bob = classic(), classic()
    monkeypatch.setattr(module, "readable", lambda text: 1 / 0)
    ana.says(b"x\n")
    assert ana.hears_all() == b""
    monkeypatch.undo()
    bob.says(b"fine\n")

    bob.hears(line(bob, "fine"))
    assert len(caplog.records) == 1


def test_a_connection_too_many_is_told_so_and_a_leave_makes_room(server: Server) -> None:
    listener = server.listen("127.0.0.1", 0, ClassicServer(server, True, 2).accepted)
    first, second, third = (Caller(server, listener.address) for _ in range(3))
    third.says(b"hello\n")

    assert third.hears_all() == b"!! full: try again in 30 s\n"
    first.says(b"quit\n")
    first.hears_all()
    first.sock.close()
    turn_until(server, lambda: len(registered(server)) == 1)
    fourth = Caller(server, listener.address)
    fourth.says(b"hello\n")
    fourth.hears(b"hello\n")
    second.hears(b"hello\n")
