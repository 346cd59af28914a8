"""What may be a password at all."""

import unicodedata

from gateway.errors import Code, Refusal

LEAST_BYTES = 8
MOST_BYTES = 1024


def composed(password: str) -> bytes:
    """The bytes that are hashed: one spelling for what keyboards write in two ways.

    Raises Refusal (bad_message) for what is nobody's password: nothing, more than 1,024 bytes, control characters.
    """
    if not password or len(password) > MOST_BYTES:
        raise Refusal(Code.BAD_MESSAGE, f"a password has 1 to {MOST_BYTES:,} bytes")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise Refusal(Code.BAD_MESSAGE, "a password has no control characters")
    raw = unicodedata.normalize("NFC", password).encode()
    if len(raw) > MOST_BYTES:
        raise Refusal(Code.BAD_MESSAGE, f"a password has 1 to {MOST_BYTES:,} bytes")
    return raw
