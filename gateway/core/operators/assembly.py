"""The operators' verbs over one hub, built once and handed to the doors, the console and the dashboard."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.hub import Hub
from gateway.core.operators.audit import Audit
from gateway.core.operators.bulk import BulkActions
from gateway.core.operators.drain import DoorPorts, Drain
from gateway.core.operators.log_level import LogLevelControl
from gateway.core.operators.maintenance import Maintenance, StoreMaintenance
from gateway.core.operators.moderation import Moderation
from gateway.core.operators.removal_rights import Redaction
from gateway.core.operators.standing_orders import StandingOrders
from gateway.core.operators.watching import Watching
from gateway.core.roles import PasswordCheck


@dataclass(frozen=True, slots=True)
class Operators:
    """What operators can do, each verb checked and recorded."""

    audit: Audit
    passwords: PasswordCheck
    moderation: Moderation
    redaction: Redaction
    bulk: BulkActions
    drain: Drain
    maintenance: Maintenance
    log_level: LogLevelControl
    store: StoreMaintenance
    watching: Watching
    orders: StandingOrders


def operators_over(
    hub: Hub,
    passwords: PasswordCheck,
    ports: DoorPorts,
    set_log_level: Callable[[str], object],
    random_bits: Callable[[int], int],
    watch: bool = False,
) -> Operators:
    """The operators' verbs over a hub. `ports` are the doors' listening sockets, `set_log_level` sets the log's
    level; `watch` lets terminals watch a connection."""
    recent, mark = hub.stats.recent, hub.stats.sampler.mark
    audit = Audit(hub.journal.ledger, hub.clock, happened=lambda words: recent.note(0, "operator", words))
    moderation = Moderation(hub, audit, random_bits, mark)
    drain = Drain(hub, audit, moderation, ports, random_bits)
    maintenance = Maintenance(hub.gate, hub.clock, moderation, hub.cluster)
    log_level = LogLevelControl(hub.clock, moderation, set_log_level, hub.cluster)
    return Operators(
        audit=audit,
        passwords=passwords,
        moderation=moderation,
        redaction=Redaction(hub, audit, mark),
        bulk=BulkActions(hub, audit, moderation, random_bits),
        drain=drain,
        maintenance=maintenance,
        log_level=log_level,
        store=StoreMaintenance(hub, audit, moderation, mark),
        watching=Watching(hub, audit, allowed=watch),
        orders=StandingOrders(hub.cluster, hub.clock, drain, maintenance, log_level),
    )
