"""Accounts and tokens for tests. Their hashes are cheap to check: a hash names its own cost."""

from argon2 import PasswordHasher

from gateway.accounts.accounts import Account, Accounts, Token, digest_of
from gateway.core.roles import Role

PASSWORD = "correct horse"
TOKEN = "a token of 192 random bits"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

PEOPLE = Accounts(
    [
        Account("admin", Role.ADMIN, CHEAP),
        Account("ana", Role.OPERATOR, CHEAP),
        Account("vic", Role.VIEWER, CHEAP),
    ],
    [Token("ci", Role.VIEWER, digest_of(TOKEN)), Token("bot", Role.OPERATOR, digest_of(TOKEN + "2"))],
)
