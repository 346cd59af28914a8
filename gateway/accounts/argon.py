"""Passwords as argon2id hashes. Loaded when somebody logs in or makes a hash, not at the start."""

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's parameters: 19 MiB and about 50 ms. A hash contains the parameters it was made with."""


def make(password: bytes) -> str:
    """The hash of a password, with a salt of its own."""
    return _HASHER.hash(password)


def verify(hashed: str, password: bytes) -> bool:
    """Whether `hashed` was made of `password`. Raises argon2's own errors when it cannot be computed."""
    try:
        return _HASHER.verify(hashed, password)
    except VerifyMismatchError:
        return False
