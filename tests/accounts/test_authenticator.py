"""The authenticator: passwords are checked in threads, tokens at once, and guesses are slowed down."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.accounts import argon, authenticator
from gateway.accounts.accounts import Accounts
from gateway.accounts.authenticator import HASHING_AT_ONCE, Authenticator
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from tests.accounts.people import PASSWORD, PEOPLE, TOKEN
from tests.fakes import PATIENCE, StandingClock

HERE = "127.0.0.1"
THERE = "10.0.0.1"


class House:
    """An authenticator with its clock, and logins that can be awaited."""

    def __init__(self, register: Accounts) -> None:
        self.clock = StandingClock()
        self.keeper = Authenticator(register, self.clock)

    async def login(self, name: str, password: str = PASSWORD, address: str = THERE) -> Operator | Code:
        future: asyncio.Future[Operator | Refusal] = asyncio.get_running_loop().create_future()
        self.keeper.login(name, password, address).then(future.set_result)
        answer = await future
        return answer.code if isinstance(answer, Refusal) else answer

    def bearer(self, token: str, address: str = THERE) -> Operator | Code:
        try:
            return self.keeper.bearer(token, address)
        except Refusal as refusal:
            return refusal.code


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House(PEOPLE)
    yield house
    house.keeper.close()


async def test_the_right_password_makes_an_operator(house: House) -> None:
    assert await house.login("ANA", address="10.0.0.1") == Operator("ana", Role.OPERATOR, "10.0.0.1")


async def test_without_a_name_the_administrator_is_meant(house: House) -> None:
    assert await house.login("", address="10.0.0.1") == Operator("admin", Role.ADMIN, "10.0.0.1")


@pytest.mark.parametrize("name", ["ana", "nobody"])
async def test_a_wrong_password_and_an_unknown_name_are_the_same(house: House, name: str) -> None:
    assert await house.login(name, "wrong password") is Code.FORBIDDEN


async def test_an_unknown_name_is_verified_like_any_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    monkeypatch.setattr(argon, "verify", lambda hashed, password: verified.append((hashed, password)))

    await house.login("nobody", "wrong password")

    assert verified == [(PEOPLE.hash("nobody"), b"wrong password")]


async def test_without_accounts_nobody_is_let_in() -> None:
    house = House(Accounts())
    assert await house.login("admin") is Code.FORBIDDEN
    house.keeper.close()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("a\0b", "x" * 8),
        ("x" * 5000, "x" * 8),
        ("\ud800", "x" * 8),
        ("admin", ""),
        ("admin", "x" * 1025),
    ],
)
async def test_a_malformed_name_or_password_is_never_hashed(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    monkeypatch.setattr(authenticator, "VERIFY", "nowhere:nothing")

    assert await house.login(name, password) is Code.BAD_MESSAGE


async def test_of_200_wrong_passwords_at_once_3_are_hashed_two_at_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, running, most, lock = 0, 0, 0, threading.Lock()
    met = threading.Barrier(HASHING_AT_ONCE)

    def verify(hashed: str, password: bytes) -> bool:
        nonlocal calls, running, most
        with lock:
            calls, running = calls + 1, running + 1
            first, most = calls <= HASHING_AT_ONCE, max(most, running)
        if first:
            met.wait(PATIENCE)
        with lock:
            running -= 1
        return False

    monkeypatch.setattr(argon, "verify", verify)
    answers = await asyncio.gather(*(house.login("admin", "wrong password") for _ in range(200)))

    assert (answers.count(Code.FORBIDDEN), answers.count(Code.RATE_LIMITED)) == (3, 197)
    assert (calls, most) == (3, HASHING_AT_ONCE)


async def test_one_address_has_three_tries_for_all_names_but_this_machine_three_for_each(house: House) -> None:
    there = [await house.login(name, "wrong password") for name in "abcd"]
    here = [await house.login(name, "wrong password", HERE) for name in "abcdaaa"]

    assert there == [Code.FORBIDDEN] * 3 + [Code.RATE_LIMITED]
    assert here == [Code.FORBIDDEN] * 6 + [Code.RATE_LIMITED]


async def test_the_refusal_says_when_to_come_back(house: House) -> None:
    for _ in range(3):
        await house.login("admin", "wrong password")
    said: list[Operator | Refusal] = []
    house.keeper.login("admin", PASSWORD, THERE).then(said.append)

    (refusal,) = said
    assert isinstance(refusal, Refusal) and refusal.retry_ms == 20_000 and "20 s" in refusal.text
    house.clock.now += 20.001
    assert isinstance(await house.login("admin"), Operator)


async def test_a_known_address_gets_in_while_others_fail_under_its_name_all_day(house: House) -> None:
    assert isinstance(await house.login("admin"), Operator)
    for hour in range(3):
        for number in range(100):
            await house.login("admin", "wrong password", f"10.{hour}.1.{number}")
        assert await house.login("ana", address="10.9.9.9") is Code.RATE_LIMITED, "strangers share 20 a minute"
        assert isinstance(await house.login("admin"), Operator)
        house.clock.now += 3600


async def test_right_passwords_are_never_too_many(house: House) -> None:
    assert all([isinstance(await house.login("ana"), Operator) for _ in range(30)])


async def test_a_failure_of_ours_is_not_held_against_anybody(
    house: House, monkeypatch: pytest.MonkeyPatch, expected_errors: list[str]
) -> None:
    expected_errors.append("a password could not be verified")
    monkeypatch.setattr(authenticator, "VERIFY", "gateway.accounts.argon:nothing")
    assert [await house.login("ana") for _ in range(5)] == [Code.BUSY] * 5
    monkeypatch.undo()
    assert isinstance(await house.login("ana"), Operator)


async def test_a_token_is_let_in_and_a_wrong_one_is_not(house: House) -> None:
    assert house.bearer(TOKEN) == Operator("ci", Role.VIEWER, THERE)
    assert house.bearer(TOKEN + "2") == Operator("bot", Role.OPERATOR, THERE)
    assert house.bearer("") is house.bearer(TOKEN + "3") is Code.TOKEN_INVALID


async def test_tokens_cannot_be_guessed_fast(house: House) -> None:
    guesses = [house.bearer(f"guess {number}") for number in range(10)]

    assert guesses == [Code.TOKEN_INVALID] * 3 + [Code.RATE_LIMITED] * 7
    assert house.bearer(TOKEN) is Code.RATE_LIMITED, "a right guess is a guess"


async def test_a_known_token_works_beside_guesses_and_a_stale_one_keeps_nobody_out(house: House) -> None:
    house.bearer(TOKEN)
    stale = [house.bearer("stale") for _ in range(5)]

    assert stale == [Code.TOKEN_INVALID] * 3 + [Code.RATE_LIMITED] * 2
    assert isinstance(house.bearer(TOKEN + "2"), Operator), "the same mistake again was no new guess"
    for number in range(10):
        house.bearer(f"guess {number}")
    assert isinstance(house.bearer(TOKEN), Operator)


async def test_nothing_is_verified_after_the_end(house: House) -> None:
    answers: list[object] = []
    for name in "abc":
        house.keeper.login(name, PASSWORD, HERE).then(answers.append)
    house.keeper.close()
    await asyncio.sleep(0)

    assert len(answers) <= 3


async def test_wrong_codes_are_slowed_down_like_passwords_and_right_ones_cost_nothing(house: House) -> None:
    for _ in range(10):
        house.keeper.guessed("code", THERE, right=True)
    for _ in range(3):
        house.keeper.guessed("code", THERE, right=False)
    with pytest.raises(Refusal, match="too many failed attempts"):
        house.keeper.guessed("code", THERE, right=True)
    house.keeper.guessed("code", "10.0.0.2", right=True)
    assert await house.login("ana") is Code.RATE_LIMITED  # the address is the same
    house.clock.now += 60
    house.keeper.guessed("code", THERE, right=True)
