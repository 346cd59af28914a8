"""What can still be told of JSON that the strict decoder refused: whom to answer, and what was wrong with it."""

import json
from typing import Any


def fields_of(document: str | bytes) -> dict[str, Any]:
    """The fields of a JSON object; empty for anything else, however deep or broken it is."""
    try:
        fields = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def has_half_a_pair(fields: dict[str, Any]) -> bool:
    """Whether one of the fields is a text with a lone surrogate in it, which JSON can write and UTF-8 cannot."""
    words = [field for field in fields.values() if isinstance(field, str)]
    return any("\ud800" <= character <= "\udfff" for word in words for character in word)
