"""`gateway passwd`: a hash of a password, or a new token, and what to write into the settings for it.

The hash (or the token) alone goes to standard output, so that a script can take it; the words around it, for people, go
to standard error.
"""

import json
import re
import secrets
import sys
from getpass import getpass
from typing import Protocol

from gateway.accounts import argon
from gateway.accounts.accounts import LEAST_BYTES, MOST_BYTES, composed, digest_of
from gateway.core.sanitize import BYTE_ORDER_MARK
from gateway.errors import Refusal, UsageError

TOKEN_BYTES = 24

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Wanted(Protocol):
    """The arguments: the name, "" for the account `admin`; with `token` a token of that name."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def token(self) -> bool: ...


def passwd(wanted: Wanted) -> int:
    """Print a hash or a token; return the exit code. Raises UsageError for an impossible password."""
    if wanted.token:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        print(token)
        line = json.dumps(f"{wanted.name}:{wanted.role}:{digest_of(token)}", ensure_ascii=False)
        say("This is shown once: scripts send it as  Authorization: Bearer TOKEN")
        say(f"\nFor the settings file:\n\n[admin]\ntokens = [{line}]\n\nMore tokens go into the same list.")
        return 0
    hashed = argon.make(password())
    print(hashed)
    if wanted.name:
        name = wanted.name if _BARE_KEY.fullmatch(wanted.name) else json.dumps(wanted.name, ensure_ascii=False)
        say(f'\nFor the settings file:\n\n[admin.accounts.{name}]\nrole = "{wanted.role}"\nhash = "{hashed}"')
    else:
        say(f'\nFor the settings file:\n\n[admin]\npassword_hash = "{hashed}"')
        say(f"\nor for the environment:\n\nGATEWAY_ADMIN__PASSWORD_HASH='{hashed}'")
    return 0


def password() -> bytes:
    """The password: asked for twice without echo, or the first line of standard input if that is not a terminal."""
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            given = getpass("Password: ")
            if getpass("The same again: ") != given:
                raise UsageError("the two passwords are not the same")
        else:
            line = sys.stdin.buffer.readline(MOST_BYTES * 2) if sys.stdin is not None else b""
            given = line.removeprefix(BYTE_ORDER_MARK).decode().rstrip("\r\n")
        raw = composed(given)
    except EOFError:
        raise UsageError("no password was given") from None
    except UnicodeDecodeError:
        raise UsageError("the password is not UTF-8") from None
    except Refusal as refusal:
        raise UsageError(refusal.text) from refusal
    if len(raw) < LEAST_BYTES:
        raise UsageError(f"the password has {len(raw)} bytes: {LEAST_BYTES} to {MOST_BYTES:,} are wanted")
    return raw


def say(words: str) -> None:
    """Write words for people to standard error."""
    print(words, file=sys.stderr)
