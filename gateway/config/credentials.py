"""The settings that say who may see the dashboard: password hashes, accounts and tokens.

They hold only hashes of secrets; even so, none is ever printed. An error names the account or the token by its place
and says what to do.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway import wording
from gateway.config.values import Form, WrongValue, comma_separated

ROLES = ("viewer", "operator", "admin")
MEMBER = "member"
"""The role of an account that only owns its name in the chat."""
ROOT_NAME = "admin"
"""The account that `admin.password_hash` belongs to."""
LINK_NAME = "link"
"""The name of an operator who logs in by a one-time link; no account may have it."""

_NAME = re.compile(r"[^\W_][\w.-]{0,31}")
_HASH = re.compile(
    r"\$argon2(?:id|i|d)\$v=\d{1,3}\$m=\d{1,9},t=\d{1,6},p=\d{1,4}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class AccountSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account as the settings hold it. `role` is one of ROLES or MEMBER, `hash` argon2's."""

    role: str
    hash: str


def account_words(text: str) -> dict[str, dict[str, str]]:
    """Accounts written as one text, `NAME:ROLE:HASH`, with blanks between them: hashes have commas in them."""
    accounts = {}
    for place, word in enumerate(text.split(), 1):
        name, colon, rest = word.partition(":")
        role, second, hashed = rest.partition(":")
        if not (colon and second):
            raise WrongValue(wording.ACCOUNT_NOT_WRITTEN.format(place=place))
        if name in accounts:
            raise WrongValue(wording.ACCOUNT_TWICE.format(name=name))
        accounts[name] = {"role": role, "hash": hashed}
    return accounts


def check_hash(hashed: str | None) -> None:
    """Raise WrongValue unless `hashed` is a hash of argon2, or none."""
    if hashed is not None and not _HASH.fullmatch(hashed):
        raise WrongValue(wording.NOT_A_HASH.format(advice=advice(hashed, "gateway passwd")))


def advice(hashed: str, command: str) -> str:
    """What to do about a text that is not a hash. Shells and compose files expand `$name` in a hash without quotes."""
    if "$$" in hashed or ("=19" in hashed and "$argon2" not in hashed):
        return wording.DOLLARS_LOST
    return wording.COMMAND_PRINTS_ONE.format(command=command)


def check_accounts(accounts: Mapping[str, AccountSettings]) -> None:
    """Raise WrongValue unless every account has a valid name that no other has, a role and a hash."""
    seen = set()
    for name, account in accounts.items():
        check_name(name)
        _check_role(name, account.role, (*ROLES, MEMBER))
        if not _HASH.fullmatch(account.hash):
            raise WrongValue(
                wording.HASH_OF_NOT_A_HASH.format(name=name, advice=advice(account.hash, f"gateway passwd {name}"))
            )
        if name.casefold() in seen:
            raise WrongValue(wording.ACCOUNT_TWICE_BY_CASE.format(name=name))
        seen.add(name.casefold())


def check_tokens(tokens: Sequence[str]) -> None:
    """Raise WrongValue unless every token is name:role:sha256."""
    for place, token in enumerate(tokens, 1):
        name, _, rest = token.partition(":")
        role, _, digest = rest.partition(":")
        if not _DIGEST.fullmatch(digest):
            raise WrongValue(wording.TOKEN_NOT_WRITTEN.format(place=place))
        check_name(name)
        _check_role(name, role, ROLES)


def check_name(name: str) -> None:
    """Raise WrongValue unless `name` is a valid name for an account."""
    if not _NAME.fullmatch(name) or name.casefold() == LINK_NAME:
        raise WrongValue(wording.NOT_AN_ACCOUNT_NAME.format(name=name[:40], link=LINK_NAME))


def _check_role(name: str, role: str, possible: Sequence[str]) -> None:
    if role not in possible:
        raise WrongValue(wording.NOT_A_ROLE.format(name=name, roles=", ".join(possible)))


def _veiled_tokens(tokens: Sequence[str]) -> str:
    return "(set) " + " ".join(token.rpartition(":")[0] for token in tokens)


HASH = Form(
    "HASH",
    "what `gateway passwd` prints",
    parse=lambda text: text.strip() or None,
    check=check_hash,
    veil=lambda _: "(set)",
)
ACCOUNTS = Form(
    "NAME:ROLE:HASH …",
    "a table [admin.accounts.NAME] with a role and a hash, as `gateway passwd NAME` prints it",
    parse=account_words,
    show=lambda accounts: " ".join(f"{name}:{each.role}:{each.hash}" for name, each in accounts.items()),
    check=check_accounts,
    veil=lambda accounts: "(set) " + " ".join(f"{name}:{each.role}" for name, each in accounts.items()),
)
TOKENS = Form(
    "NAME:ROLE:SHA256,…",
    'a list of "name:role:sha256"; `gateway passwd --token NAME` makes one',
    parse=comma_separated,
    check=check_tokens,
    veil=_veiled_tokens,
)

Hash = Annotated[str | None, Meta(extra={"form": HASH})]
Accounts = Annotated[dict[str, AccountSettings], Meta(extra={"form": ACCOUNTS})]
Tokens = Annotated[tuple[str, ...], Meta(extra={"form": TOKENS})]
