"""Refusals as the peer gets them: too fast, storage failed, and any refusal as an event."""

import re
from typing import TypeVar

from gateway.core.protocol.events import Error
from gateway.errors import Code, JournalError, Refusal

Value = TypeVar("Value")

_FOLDERS = re.compile(r"(?<!\S)/(?:(?:(?! cannot be used \()[^/\n:])+/)*")
"""The folders before a file's name; what follows it may hold a slash of its own (`disk I/O error`)."""


def too_fast(seconds: float) -> Refusal:
    """The refusal for a peer that must wait so long."""
    return Refusal(Code.RATE_LIMITED, f"too fast, wait {seconds:.1f} s", retry_ms=int(seconds * 1000) + 1)


def storage_refusal(error: JournalError) -> Refusal:
    """The refusal when the journal fails, without the folder that it is in, which is nobody's business."""
    words = _FOLDERS.sub("", str(error)).removeprefix("journal: ")
    return Refusal(Code.STORAGE, f"the journal failed: {words}", retry_ms=2000)


def told(found: Value | JournalError) -> Value | Refusal:
    """What the journal answered, as a peer is told it."""
    return storage_refusal(found) if isinstance(found, JournalError) else found


def error_event(refusal: Refusal, id: str | None = None) -> Error:
    """The event for a refusal of the request with that id."""
    fields: dict[str, str | int] = {}
    if id is not None:
        fields["id"] = id
    if refusal.retry_ms is not None:
        fields["retry_ms"] = refusal.retry_ms
    return Error(refusal.code, refusal.text, **fields)  # type: ignore[arg-type]
