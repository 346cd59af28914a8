"""Headers that are lists: `Connection`, `Accept`, `Accept-Encoding`, `X-Forwarded-Proto` and their like.

A list may be spread over several headers of one name, its members may carry parameters, be quoted, be empty, and be
weighted (`gzip;q=0` means "no gzip"). Looking for a word within such a header is wrong in every one of these cases, so
all of them are read here (RFC 9110, 5.6.1 and 12.4.2).
"""

import re

from multidict import MultiMapping

_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
MEMBERS = 64
"""Members of one list that are read, at most: no program sends more, and each costs time."""


def members(headers: MultiMapping[str], name: str) -> list[str]:
    """The members of the list `name`, in order, with their parameters; at most MEMBERS."""
    given = headers.getall(name, None)
    if given is None:
        return []
    listed = ",".join(given)
    parts = listed.split(",") if '"' not in listed else [match[0] for match in _MEMBER.finditer(listed)]
    return [member for part in parts if (member := part.strip())][:MEMBERS]


def tokens(headers: MultiMapping[str], name: str) -> list[str]:
    """The members in lower case, without parameters."""
    return [member.partition(";")[0].strip().lower() for member in members(headers, name)]


def weights(headers: MultiMapping[str], name: str) -> dict[str, float]:
    """The weight of each member, 0 (not wanted) to 1. A malformed weight counts as 0: when in doubt a peer gets what
    everybody understands."""
    wanted: dict[str, float] = {}
    for member in members(headers, name):
        token, *parameters = (part.strip().lower() for part in member.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = float(value) if _WEIGHT.fullmatch(value.strip()) else 0.0
        wanted[token] = max(weight, wanted.get(token, 0.0))
    return wanted


def takes_gzip(headers: MultiMapping[str]) -> bool:
    """Whether an answer may be compressed: gzip is wanted, by name or as one of all (`*`)."""
    wanted = weights(headers, "Accept-Encoding")
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", 0.0))) > 0


def wants_json(headers: MultiMapping[str]) -> bool:
    """Whether some kind of JSON is asked for by name (`application/json`, `application/problem+json`)."""
    return any(weight > 0 and _is_json(kind) for kind, weight in weights(headers, "Accept").items())


def wants_page(headers: MultiMapping[str]) -> bool:
    """Whether a page for people is asked for by name."""
    return weights(headers, "Accept").get("text/html", 0.0) > 0


def speaks(headers: MultiMapping[str], *known: str) -> str | None:
    """The first of the subprotocols that a WebSocket offers which is `known`. Their names have upper and lower case."""
    return next((offered for offered in members(headers, "Sec-WebSocket-Protocol") if offered in known), None)


def _is_json(kind: str) -> bool:
    return kind.startswith("application/") and kind.removeprefix("application/").endswith(("json", "+json"))
