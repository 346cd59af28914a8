"""What a browser calls itself, fit to be shown and kept."""

import sys

from gateway.core import text
from gateway.errors import Refusal

AGENT_CHARS = 120


def agent_of(header: str) -> str | None:
    """The `User-Agent` through the gate, at most AGENT_CHARS; None when nothing is left. Equal names are one object,
    because thousands of browsers call themselves the same."""
    try:
        return sys.intern(text.line(header[:AGENT_CHARS]))
    except Refusal:
        return None
