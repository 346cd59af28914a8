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

from gateway import wording
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
        token = secrets.token_hex(TOKEN_BYTES)  # no `-` at its beginning: it is typed after --token
        print(token)
        line = json.dumps(f"{wanted.name}:{wanted.role}:{digest_of(token)}", ensure_ascii=False)
        say(wording.TOKEN_SHOWN_ONCE)
        say(wording.TOKEN_SETTINGS.format(line=line))
        return 0
    hashed = argon.make(password())
    print(hashed)
    if wanted.name:
        name = wanted.name if _BARE_KEY.fullmatch(wanted.name) else json.dumps(wanted.name, ensure_ascii=False)
        say(wording.ACCOUNT_SETTINGS.format(name=name, role=wanted.role, hash=hashed))
    else:
        say(wording.PASSWORD_SETTINGS.format(hash=hashed))
        say(wording.PASSWORD_ENVIRONMENT.format(hash=hashed))
    return 0


def password() -> bytes:
    """The password: asked for twice without echo, or the first line of standard input if that is not a terminal."""
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            given = getpass("Password: ")
            if getpass(wording.SAME_AGAIN) != given:
                raise UsageError(wording.NOT_THE_SAME)
        else:
            line = sys.stdin.buffer.readline(MOST_BYTES * 2) if sys.stdin is not None else b""
            given = line.removeprefix(BYTE_ORDER_MARK).decode().rstrip("\r\n")
        raw = composed(given)
    except EOFError:
        raise UsageError(wording.NO_PASSWORD) from None
    except UnicodeDecodeError:
        raise UsageError(wording.PASSWORD_NOT_UTF8) from None
    except Refusal as refusal:
        raise UsageError(refusal.text) from refusal
    if len(raw) < LEAST_BYTES:
        raise UsageError(wording.PASSWORD_LENGTH.format(size=len(raw), least=LEAST_BYTES, most=MOST_BYTES))
    return raw


def say(words: str) -> None:
    """Write words for people to standard error."""
    print(words, file=sys.stderr)
