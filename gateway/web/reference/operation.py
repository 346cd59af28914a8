"""The words for describing one operation of the HTTP API: a method on a path, what it takes and what it answers."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.core.operators.roles import Role
from gateway.errors import Code
from gateway.web.http.query import SEQ_LIMIT
from gateway.web.tables.paging import PAGE_LIMIT

JSON = "application/json"
LINES = "text/plain"
EVENTS = "text/event-stream"

Number = Annotated[int, Meta(ge=0, le=SEQ_LIMIT - 1)]
Limit = Annotated[int, Meta(ge=1, le=PAGE_LIMIT)]
HistoryLimit = Annotated[int, Meta(ge=1, le=SEQ_LIMIT - 1)]
Room = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]{0,63}$", examples=["lobby"])]
Place = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{8,32}:[0-9]{1,18}$")]
SessionId = Annotated[str, Meta(pattern="^[0-9a-f]{1,15}$")]


def one_of(words: Iterable[str]) -> Any:
    """The type of a text that is one of these."""
    return Annotated[str, Meta(pattern=f"^({'|'.join(words)})$")]


class Access(Enum):
    """Who may: anybody; anybody, but the holder of a chat session's token as himself; an operator of a role."""

    ANYBODY = "anybody"
    IDENTITY = "identity"
    HERE = "here"
    """Anybody on the gateway's own machine; others as a viewer."""
    KEY = "key"
    """On the gateway's own machine, with the key in its data folder."""
    VIEWER = Role.VIEWER
    OPERATOR = Role.OPERATOR
    ADMIN = Role.ADMIN


class Parameter(NamedTuple):
    """One parameter; `where` is path, query or header."""

    name: str
    type: Any
    words: str
    where: str = "query"


class Content(NamedTuple):
    """A body, there or back, in one media type; `shape` is a msgspec type."""

    shape: Any
    media: str = JSON


class Reply(NamedTuple):
    """What is answered when all goes well."""

    status: int
    words: str
    content: tuple[Content, ...] = ()


class Operation(NamedTuple):
    """A method on a path. `words`: the first line is a title; `refusals` may come besides those that any may get."""

    method: str
    path: str
    words: str
    reply: Reply
    parameters: Sequence[Parameter] = ()
    body: tuple[Content, ...] = ()
    body_required: bool = True
    refusals: tuple[Code, ...] = ()
    access: Access = Access.ANYBODY
    statuses: tuple[int, ...] = ()
    """Refusals that have no code of the chat's: 404 where nothing is, 410, 426."""


class Failure(msgspec.Struct, frozen=True):
    """What went wrong. `code` is stable; `text` is for people. Of a filter word that means nothing: the `word` stands
    `at` that character, `length` characters long; `why` it is wrong, and what is `right`. Of a campaign: so many
    connections match."""

    code: str
    text: str
    word: str | UnsetType = UNSET
    at: int | UnsetType = UNSET
    length: int | UnsetType = UNSET
    why: str | UnsetType = UNSET
    right: str | UnsetType = UNSET
    matches: int | UnsetType = UNSET


class RefusalReply(msgspec.Struct, frozen=True):
    """Every refusal, unless the asker reads something else: curl gets one line `!! code: text`, a browser a page."""

    error: Failure
