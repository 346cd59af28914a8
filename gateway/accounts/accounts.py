"""The accounts and tokens that the settings define, and the rules for a password."""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from gateway import wording
from gateway.core.roles import Role
from gateway.errors import Code, Refusal

_COST = re.compile(r"(\$argon2\w+\$v=\d+\$m=(\d+),t=(\d+),p=\d+)\$([^$]+)\$([^$]+)")


class Account(NamedTuple):
    """An operator with a password. `hash` is argon2's."""

    name: str
    role: Role
    hash: str


class Token(NamedTuple):
    """A script with a bearer token. `digest` is its SHA-256 in hex, lower case."""

    name: str
    role: Role
    digest: str


class Accounts:
    """All accounts and tokens. Names of accounts are the same in upper and lower case."""

    def __init__(self, accounts: Iterable[Account] = (), tokens: Iterable[Token] = ()) -> None:
        self._accounts = {account.name.casefold(): account for account in accounts}
        self._tokens = tuple(tokens)
        self._decoy = _decoy(account.hash for account in self._accounts.values())

    @property
    def administrator(self) -> str:
        """The account that is meant when no name is given: the first administrator's; "" if there is none."""
        return next((account.name for account in self._accounts.values() if account.role is Role.ADMIN), "")

    @property
    def has_passwords(self) -> bool:
        """Whether any account has a password."""
        return bool(self._accounts)

    @property
    def has_operators(self) -> bool:
        """Whether anybody can log in to the dashboard with a password."""
        return any(account.role > Role.MEMBER for account in self._accounts.values())

    @property
    def names(self) -> list[str]:
        """The names of all accounts."""
        return [account.name for account in self._accounts.values()]

    def account(self, name: str) -> Account | None:
        """The account with that name; None if there is none."""
        return self._accounts.get(name.casefold())

    def changed(self, later: "Accounts") -> frozenset[str]:
        """The accounts, casefolded, that `later` does not have or has with another role or password."""
        return frozenset(name for name, account in self._accounts.items() if later.account(name) != account)

    def proof(self, name: str) -> str:
        """A digest of an account's role and password hash; "" for no account."""
        account = self.account(name)
        return "" if account is None else digest_of(f"{account.role.word} {account.hash}")

    def hash(self, name: str) -> str:
        """The hash to verify a password for `name` against. For an unknown name it is a decoy that costs as much as the
        most expensive one here and matches no password, so that the time taken does not tell which names exist."""
        account = self.account(name)
        return self._decoy if account is None else account.hash

    def token(self, digest: str) -> Token | None:
        """The token with that digest; None if there is none. All are compared, each in constant time."""
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest.encode(), digest.encode()):
                found = token
        return found


def digest_of(token: str) -> str:
    """The digest under which a token is stored."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _decoy(hashes: Iterable[str]) -> str:
    """A random hash with the cost and the lengths of the most expensive of `hashes`; "" if there is none."""
    parts = [match for each in hashes if (match := _COST.fullmatch(each))]
    if not parts:
        return ""
    dearest = max(parts, key=lambda match: int(match[2]) * int(match[3]))
    salt, result = (_random(each) for each in (dearest[4], dearest[5]))
    return f"{dearest[1]}${salt}${result}"


def _random(encoded: str) -> str:
    """As many random bytes as `encoded` has, encoded like it."""
    size = len(encoded) * 3 // 4
    return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")


LEAST_BYTES = 8
MOST_BYTES = 1024


def composed(password: str) -> bytes:
    """The bytes that are hashed, in one Unicode form, because keyboards write the same letter in two ways.

    Raises Refusal (bad_message) for an empty password, more than 1,024 bytes, or control characters.
    """
    if not password or len(password) > MOST_BYTES:
        raise Refusal(Code.BAD_MESSAGE, wording.PASSWORD_BYTES.format(most=MOST_BYTES))
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise Refusal(Code.BAD_MESSAGE, wording.PASSWORD_CONTROL)
    raw = unicodedata.normalize("NFC", password).encode()
    if len(raw) > MOST_BYTES:
        raise Refusal(Code.BAD_MESSAGE, wording.PASSWORD_BYTES.format(most=MOST_BYTES))
    return raw
