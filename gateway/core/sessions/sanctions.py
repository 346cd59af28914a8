"""Sanctions: bans keep a user out, mutes keep a user silent; by nick, by address, or by range of addresses.

Theory of this file. A sanction is found by keys, never by a walk, so that ten thousand of them cost a newcomer as much
as ten:

- a nick has the one or two keys under which nicks are unique (`core.name_rules`), so a nick that looks like a
  banned one is banned;
- a range is the key (4 or 6, length, its first `length` bits): an address is looked up once for each length in use, at
  most 33 or 129 times;
- an identity, and a session of this process, so that a mute stays with the user who was meant when they take another
  nick.

An IPv6 address means its /64, as for the limits by address, because one customer has all of it; with /128 behind it, it
means itself alone. A range may be written with any of its addresses: 10.1.2.3/8 is 10.0.0.0/8.

The end of a sanction is a moment of the wall clock, compared at each lookup. A sanction is not deleted when its end has
come, so a clock that jumps ahead and back again lifts nothing for good; those that ended KEPT_MS ago are forgotten at a
start, or when the table is full.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.address import Network, parse_address, parse_network, subscriber_network
from gateway.core.clock import Clock
from gateway.core.ports.ledger import Measure, Sanction
from gateway.core.protocol.events import Notice, Standing
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

LONGEST_SECONDS = 100 * 365 * 24 * 3600
"""The longest time that a ban or a mute with an end may last."""
SANCTIONS = 100_000
"""Bans at most, and as many mutes: 100 MB."""
LIFTED = 10_000
"""Lifted ones that are remembered, so that a store that has lost its end does not put them in force again."""
KEPT_MS = 30 * 24 * 3600 * 1000
WIDE = {4: 8, 6: 16}
"""Bits of a range; a shorter prefix covers so many addresses that it is probably a typing error."""
LOOPBACK = (parse_network("127.0.0.0/8"), parse_network("::1/128"))

CODES = {Measure.BAN: Code.BANNED, Measure.MUTE: Code.MUTED}
Key = tuple[str, str] | tuple[str, int] | tuple[int, int, int]


class TargetKind(StrEnum):
    """What a sanction is found by."""

    NICK = "nick"
    ADDRESS = "address"


class Target(NamedTuple):
    """The nick, address or range that is meant, in its canonical spelling."""

    kind: TargetKind
    text: str


def nick(words: str) -> Target:
    """The target: users with that nick or one that looks like it. Raises Refusal."""
    return Target(TargetKind.NICK, name_rules.any_nick(words))


def address(words: str) -> Target:
    """The target: users from that address or range. Raises Refusal."""
    try:
        network = parse_network(words, strict=False)
    except ValueError:
        said = sanitize.shown(words)
        raise Refusal(Code.BAD_MESSAGE, wording.NOT_AN_ADDRESS.format(words=said)) from None
    alone = network.prefixlen == network.max_prefixlen
    if alone and "/" not in words:
        network = subscriber_network(network.network_address)
        alone = network.prefixlen == network.max_prefixlen
    return Target(TargetKind.ADDRESS, str(network.network_address if alone and network.version == 4 else network))


def target(words: str) -> Target:
    """The target: a nick or an address, whichever it looks like. Raises Refusal."""
    words = words.strip()
    looks = "/" in words or ":" in words or ("." in words and words.replace(".", "").isdecimal())
    return address(words) if looks else nick(words)


def doubt(found: Target, own: str) -> str | None:
    """Why this is probably a mistake of the operator, whose address is `own`; None: it looks intended."""
    if found.kind is not TargetKind.ADDRESS:
        return None
    network = parse_network(found.text)
    if network.prefixlen == 0:
        return wording.IS_EVERYBODY.format(target=found.text)
    if any(network.version == each.version and network.overlaps(each) for each in LOOPBACK):
        return wording.IS_THIS_MACHINE.format(target=found.text)
    if covers(found, own):
        return wording.IS_YOUR_OWN.format(target=found.text)
    return wording.IS_WIDE.format(target=found.text) if network.prefixlen < WIDE[network.version] else None


def check(targets: Sequence[Target], own_address: str) -> None:
    """Raise Refusal if one of the targets is probably a mistake."""
    for each in targets:
        found = doubt(each, own_address)
        if found is not None:
            raise Refusal(Code.BAD_MESSAGE, wording.SURE_NEEDED.format(doubt=found))


def covers(found: Target, where: str) -> bool:
    """Whether the range holds the address `where`."""
    return inside(found)(where)


def inside(found: Target) -> Callable[[str], bool]:
    """A fast test whether the range holds an address, for many calls: about 1 µs each, for a single IPv4 address among
    other IPv4 addresses 0.1 µs."""
    network = parse_network(found.text)
    key, version, length = _key_of(network), network.version, network.prefixlen

    def holds(where: str) -> bool:
        bits = _bits(where)
        return bits is not None and bits[0] == version and _prefix(*bits, length) == key

    if network.prefixlen < network.max_prefixlen:
        return holds
    only = found.text
    return lambda where: where == only or (":" in where and holds(where))


def words_of(sanction: Sanction, now: int) -> str:
    """What the user is told: until when (in the server's time zone), and why."""
    until = end_of(sanction, now)
    return wording.UNTIL_REASON.format(until=until, reason=sanction.reason) if sanction.reason else until


def end_of(sanction: Sanction, now: int) -> str:
    """`until 15:10`, with the date when that is not today; `for ever`. `now` is ms since 1970."""
    if sanction.until is None:
        return wording.FOR_EVER
    end = datetime.fromtimestamp(sanction.until / 1000)
    today = datetime.fromtimestamp(now / 1000).date() == end.date()
    return wording.UNTIL.format(when=f"{end:%H:%M}" if today else f"{end:%Y-%m-%d %H:%M}")


def standing_of(session: Session, bans: "Sanctions", mutes: "Sanctions") -> Standing:
    """What the person of the session may do, as they are told."""
    ban, mute = bans.on(session), mutes.on(session)
    role = "member" if session.identity is not None and session.identity.account else None
    return Standing(
        session.operator.role.word if session.operator is not None else role,
        mute is not None,
        mute.until if mute is not None else None,
        ban is not None,
        ban.until if ban is not None else None,
        next((each.reason for each in (ban, mute) if each is not None), ""),
    )


def tell_standing(session: Session, bans: "Sanctions", mutes: "Sanctions") -> None:
    """Tell a page what its person may do; a terminal whether they may speak."""
    refusal = mutes.refusal(mutes.on(session))
    words = wording.MAY_SPEAK if refusal is None else wording.YOU_ARE_MUTED.format(words=refusal.text)
    session.tell(standing_of(session, bans, mutes) if session.wire.objects else Notice(words))


class Sanctions:
    """All bans, or all mutes."""

    def __init__(self, measure: Measure, clock: Clock) -> None:
        self.measure = measure
        self._clock = clock
        self.by_id: dict[str, Sanction] = {}
        """All of them. Empty for most gateways, which each message looks at."""
        self._keys: dict[str, list[Key]] = {}
        self._found: dict[Key, dict[str, Sanction]] = {}
        self._lengths: Counter[tuple[int, int]] = Counter()
        self._lifted: dict[str, None] = {}
        """The ids of the last LIFTED that were removed."""

    def add(self, sanction: Sanction, session: Session | None = None) -> None:
        """Put it in force; for `session` also under other nicks. Raises Refusal when there are too many."""
        if len(self.by_id) >= SANCTIONS:
            self.forget(self._clock.trusted.now() - KEPT_MS)
        if len(self.by_id) >= SANCTIONS:
            raise Refusal(Code.FULL, wording.TOO_MANY_SANCTIONS.format(limit=SANCTIONS), retry_ms=60_000)
        keys = _keys_of(sanction)
        if sanction.identity:
            keys.append(("identity", sanction.identity))
        if session is not None:
            keys.append(("session", session.number))
        self.by_id[sanction.id] = sanction
        self._keys[sanction.id] = keys
        for key in keys:
            self._found.setdefault(key, {})[sanction.id] = sanction
            if len(key) == 3:
                self._lengths[key[:2]] += 1

    def remove(self, id: str) -> Sanction | None:
        """Lift and return it; None if there is none with that id."""
        sanction = self.by_id.pop(id, None)
        if sanction is not None:
            self._lifted[id] = None
            if len(self._lifted) > LIFTED:
                del self._lifted[next(iter(self._lifted))]
        for key in self._keys.pop(id, ()):
            del self._found[key][id]
            if not self._found[key]:
                del self._found[key]
            if len(key) == 3:
                self._lengths[key[:2]] -= 1
                if not self._lengths[key[:2]]:
                    del self._lengths[key[:2]]
        return sanction

    def forget(self, before: int) -> None:
        """Forget those that ended before `before` (ms since 1970)."""
        for each in list(self.by_id.values()):
            if each.until is not None and each.until < before:
                self.remove(each.id)

    # Lookups

    def all(self) -> list[Sanction]:
        """All of them, including those that have ended."""
        return list(self.by_id.values())

    def __len__(self) -> int:
        """How many there are, including those that have ended."""
        return len(self.by_id)

    def get(self, id: str) -> Sanction | None:
        """The sanction with that id, also if it has ended."""
        return self.by_id.get(id)

    def was_lifted(self, id: str) -> bool:
        """Whether the one with that id was in force and is not any more. An id is never used again."""
        return id in self._lifted

    def of(self, target: Target) -> list[Sanction]:
        """Those with exactly that target, also if they have ended."""
        network = target.kind is TargetKind.ADDRESS
        keys = (_key_of(parse_network(target.text)),) if network else _nick_keys(target.text)
        found = {each.id: each for key in keys for each in self._found.get(key, {}).values()}
        # For nicks the key also finds those that only look alike; an address has one key, in whatever spelling an
        # older version stored it.
        same = target.text.casefold()
        return [
            each for each in found.values() if each.kind == target.kind and (network or each.target.casefold() == same)
        ]

    def number_of(self, id: str) -> int:
        """The number of the session that the one with that id was meant for; 0 = none."""
        return next((int(key[1]) for key in self._keys.get(id, ()) if key[0] == "session"), 0)

    def holding(self) -> list[Sanction]:
        """Those in force, the newest first."""
        now = self._clock.trusted.now()
        found = [each for each in self.by_id.values() if each.until is None or each.until > now]
        return sorted(found, key=lambda each: (each.created, each.id), reverse=True)

    def on_nick(self, nick: str) -> Sanction | None:
        """The sanction in force for a nick."""
        return self._strongest(_nick_keys(nick)) if self.by_id else None

    def on_address(self, address: str) -> Sanction | None:
        """The sanction in force for an address."""
        return self._strongest(self._address_keys(address)) if self._lengths else None

    def on(self, session: Session) -> Sanction | None:
        """The sanction in force for a session: for its nick, its identity, its address or the session itself."""
        if not self.by_id:
            return None
        keys: list[Key] = [*_nick_keys(session.nick), ("session", session.number)]
        if session.identity is not None:
            keys.append(("identity", session.identity.id))
        return self._strongest([*keys, *self._address_keys(session.address)])

    def refusal(self, sanction: Sanction | None) -> Refusal | None:
        """The refusal for a user under that sanction, which ends in `retry_ms`; None without a sanction."""
        if sanction is None:
            return None
        now = self._clock.trusted.now()
        left = None if sanction.until is None else max(0, sanction.until - now)
        return Refusal(CODES[self.measure], words_of(sanction, now), left)

    def check_nick(self, nick: str) -> None:
        """Raise Refusal if a sanction is in force for that nick."""
        self._check(self.on_nick(nick))

    def check_address(self, address: str) -> None:
        """Raise Refusal if a sanction is in force for that address."""
        self._check(self.on_address(address))

    def check_poster(self, nick: str, identity: str, address: str) -> None:
        """Raise Refusal if one is in force for a poster without a session; `identity` is empty where it is unknown."""
        if self.by_id:
            self._check(self._strongest([*_nick_keys(nick), ("identity", identity), *self._address_keys(address)]))

    def check(self, session: Session) -> None:
        """Raise Refusal if a sanction is in force for that session."""
        self._check(self.on(session))

    def _check(self, sanction: Sanction | None) -> None:
        refusal = self.refusal(sanction)
        if refusal is not None:
            raise refusal

    def _address_keys(self, address: str) -> list[Key]:
        bits = _bits(address) if self._lengths else None
        if bits is None:
            return []
        return [_prefix(*bits, length) for version, length in self._lengths if version == bits[0]]

    def _strongest(self, keys: Iterable[Key]) -> Sanction | None:
        found = [self._found[key] for key in keys if key in self._found]
        if not found:
            return None
        now = self._clock.trusted.now()
        holding = [each for some in found for each in some.values() if each.until is None or each.until > now]
        return max(holding, key=lambda each: float("inf") if each.until is None else each.until, default=None)


def _keys_of(sanction: Sanction) -> list[Key]:
    if sanction.kind == TargetKind.ADDRESS:
        return [_key_of(parse_network(sanction.target))]
    return list(_nick_keys(sanction.target))


def _key_of(network: Network) -> Key:
    return _prefix(network.version, int(network.network_address), network.prefixlen)


def _prefix(version: int, number: int, length: int) -> Key:
    return version, length, number >> (32 if version == 4 else 128) - length


@lru_cache(maxsize=16_384)
def _nick_keys(nick: str) -> tuple[Key, ...]:
    return tuple(("nick", key) for key in name_rules.keys(nick))


@lru_cache(maxsize=16_384)
def _bits(address: str) -> tuple[int, int] | None:
    """(4 or 6, the address as a number); None when it is not a valid address."""
    found = parse_address(address)
    return None if found is None else (found.version, int(found))
