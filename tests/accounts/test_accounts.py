"""The accounts and tokens of the settings."""

import pytest
from argon2 import extract_parameters

from gateway.accounts import argon
from gateway.accounts.accounts import Account, Accounts, composed, digest_of
from gateway.core.roles import Role
from gateway.errors import Refusal
from tests.accounts.people import CHEAP, PASSWORD, PEOPLE, TOKEN

DEAR = CHEAP.replace("m=8,t=1", "m=16,t=3")


def test_upper_and_lower_case_are_one_name() -> None:
    found = PEOPLE.account("ANA")

    assert found is not None and found == PEOPLE.account("ana")


def test_an_unknown_name_costs_what_the_dearest_account_costs_and_fits_no_password() -> None:
    register = Accounts([Account("a", Role.VIEWER, CHEAP), Account("b", Role.VIEWER, DEAR)])
    decoy = register.hash("nobody")

    assert extract_parameters(decoy) == extract_parameters(DEAR)
    assert decoy not in (CHEAP, DEAR) and len(decoy) == len(DEAR)
    assert not argon.verify(decoy, PASSWORD.encode())


def test_a_token_is_found_by_its_digest_alone() -> None:
    found = PEOPLE.token(digest_of(TOKEN))

    assert found is not None and (found.name, found.role) == ("ci", Role.VIEWER)
    assert PEOPLE.token(digest_of(TOKEN + "x")) is None
    assert PEOPLE.token(TOKEN) is None


def test_without_accounts_there_are_no_passwords() -> None:
    assert not Accounts().has_passwords and PEOPLE.has_passwords


def test_a_password_has_one_spelling() -> None:
    assert composed("e\u0301") == composed("\u00e9")
    assert argon.verify(CHEAP, composed(PASSWORD)) and not argon.verify(CHEAP, composed(PASSWORD + " "))


@pytest.mark.parametrize("password", ["", "a\0b", "a\nb", "\ud800", "x" * 1025, "\u00e9" * 513, "\u0344" * 300])
def test_an_impossible_password_is_refused_before_it_is_hashed(password: str) -> None:
    with pytest.raises(Refusal):
        composed(password)


def test_1024_bytes_are_a_password() -> None:
    assert len(composed("\u00e9" * 512)) == 1024
