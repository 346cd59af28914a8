"""How many connections the process can hold: each takes a file descriptor."""

import contextlib
import resource

RESERVED = 64
"""Kept for the journal, the log and the loop."""


def connection_limit(wanted: int) -> int:
    """Connections in all: as many as `wanted` (0 = no limit), but never more than the descriptors allow, whose limit is
    raised as far as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    possible = max(1, soft - RESERVED)
    return min(wanted, possible) if wanted else possible
