"""`python3 tests --side-by-side`: the gateway and its peers do the same work in turn.

Each turn starts one server afresh on one core, does one work from another core, and checks that all was delivered once
and in order. The turns of all peers are interleaved, because other processes come and go on a machine; the median of a
peer's turns counts. The table goes to standard output, `--write` puts it into the README, with the picture beside it.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from gateway.bench.chart import draw
from gateway.bench.compare import started
from gateway.bench.machine import cores, machine_line, on_core
from gateway.bench.plan import BenchError
from gateway.bench.report import Chart
from tests.bench.costs import readme
from tests.bench.side_by_side.peers import PEERS, Peer
from tests.bench.side_by_side.works import Price, Work, works

PICTURE = readme.PICTURES / "side-by-side.png"
DOORS = {"tcp": "lines over TCP", "web": "WebSocket"}
LIMIT = "c"
"""What no server of this kind can be cheaper than; it is no peer."""


@dataclass(frozen=True, slots=True)
class Results:
    """The turns by work and peer, and why there are none or fewer. `absent`: peers that are not installed."""

    works: list[Work]
    peers: dict[str, Peer]
    prices: dict[tuple[str, str], list[Price]] = field(default_factory=lambda: defaultdict(list))
    troubles: dict[tuple[str, str], str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def median(self, work: Work, peer: str) -> float | None:
        """What the work costs that peer; None: not known."""
        prices = self.prices.get((work.name, peer))
        return statistics.median(price.value for price in prices) if prices else None


def measure(results: Results, turns: int) -> None:
    """Let every peer do every work in turn."""
    allowed = cores()
    server_core, load_core = allowed[:2] if len(allowed) > 1 else (None, None)
    with on_core(load_core):
        for work, turn, (name, peer) in product(results.works, range(turns), list(results.peers.items())):
            if (work.name, name) in results.troubles:
                continue
            print(f"{work.name}, turn {turn + 1}: {peer.name}", file=sys.stderr, flush=True)
            server = peer.alone if work.alone and peer.alone else peer.server
            try:
                with started(server, server_core) as target:
                    results.prices[work.name, name].append(work.measure(server, target))
            except BenchError as error:
                results.troubles[work.name, name] = str(error)


def present(results: Results) -> None:
    """Leave out who is not installed."""
    for name, peer in list(results.peers.items()):
        try:
            peer.release()
        except BenchError as error:
            results.absent[peer.name] = str(error)
            del results.peers[name]


def table(results: Results, door: str) -> list[str]:
    """The works of one door's servers as a table of Markdown; the cheapest besides C is bold."""
    here = {name: peer for name, peer in results.peers.items() if peer.door == door or (name == LIMIT)}
    titles = [peer.name.partition(",")[0] if "gateway" in name else peer.name for name, peer in here.items()]
    lines = [
        f"| {DOORS[door]} | {' | '.join(titles)} | gateway to the best peer |",
        "| --- |" + " --- |" * (len(titles) + 1),
    ]
    for work in results.works:
        medians = {name: results.median(work, name) for name in here}
        best = min((value for name, value in medians.items() if value is not None and name != LIMIT), default=None)
        cells = [cell(value, value is not None and value == best) for value in medians.values()]
        lines.append(f"| {work.name}: {work.about}, {work.unit} | {' | '.join(cells)} | {to_best(medians)} |")
    return lines


def cell(value: float | None, best: bool) -> str:
    """A figure with three digits."""
    if value is None:
        return "n/a"
    words = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"**{words}**" if best else words


def to_best(medians: dict[str, float | None]) -> str:
    """The gateway's figure divided by the best of its peers'."""
    ours = next((value for name, value in medians.items() if "gateway" in name), None)
    others = [value for name, value in medians.items() if value is not None and name != LIMIT and "gateway" not in name]
    if ours is None or not others:
        return "n/a"
    return f"{ours / min(others):.2f}" if min(others) > 0 else "n/a"


def notes(results: Results, turns: int) -> list[str]:
    """Below the tables: who is who, who is absent, and what was not as it should be."""
    releases = ", ".join(f"{peer.name} {peer.release()}" for peer in results.peers.values() if peer.release())
    measured = "One turn" if turns == 1 else f"Medians of {turns} turns"
    lines = [
        f"{measured}; server on one core, load on the other; the gateway stores with SQLite. {releases}.",
        f"{machine_line()}.",
    ]
    busy = [
        f"{work.name} ({results.peers[name].name})"
        for work, name in product(results.works, results.peers)
        if any(price.overloaded for price in results.prices.get((work.name, name), []))
    ]
    if busy:
        lines.append(f"The load generator was the limit in: {', '.join(busy)}.")
    for (work, name), prices in results.prices.items():
        if faults := [fault for price in prices for fault in price.faults]:
            lines.append(f"Not all was delivered once and in order: {results.peers[name].name}, {work}: {faults[0]}.")
    lines += [
        f"Not measured: {results.peers[name].name}, {work}: {why}." for (work, name), why in results.troubles.items()
    ]
    lines += [f"Left out: {name}: {why}." for name, why in results.absent.items()]
    return lines


def chart(results: Results) -> Chart:
    """Every peer's cost as a multiple of the gateway's behind the same door."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for name, peer in results.peers.items():
        points = []
        for place, work in enumerate(results.works):
            ours, theirs = results.median(work, f"gateway-{peer.door}"), results.median(work, name)
            if ours and theirs and theirs > 0 and "gateway" not in name:
                points.append((float(place), theirs / ours))
        if points:
            lines[peer.name.replace("`", "")] = points
    ticks = tuple(work.name for work in results.works)
    title = "What the same work costs others (1 is the gateway's cost, above it others cost more)"
    return Chart(title, "work", "cost divided by the gateway's", lines, log_y=True, ticks=ticks, points=True, line=1.0)


def main(arguments: list[str]) -> int:
    """Measure, print, write. Return 1 when something was not measured, or the gateway lost something."""
    names = [work.name for work in works()]
    parser = argparse.ArgumentParser(prog="python3 tests --side-by-side", description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="how often each does each work (default: 3)")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--works", default=",".join(names), help=f"of {','.join(names)}")
    parser.add_argument("--scale", type=float, default=1.0, help="make every work smaller, for a quick look")
    parser.add_argument("--plot", type=Path, help="draw the picture into this PNG or SVG file")
    parser.add_argument("--write", action="store_true", help="put the tables and the picture into the README")
    words = parser.parse_args(arguments)
    wanted = [work for work in works(words.scale) if work.name in words.works.split(",")]
    results = Results(wanted, {name: PEERS[name] for name in words.peers.split(",") if name in PEERS})
    present(results)
    measure(results, words.turns)
    lines = [line for door in DOORS for line in [*table(results, door), ""]] + notes(results, words.turns)
    print("\n".join(lines))
    if words.write:
        readme.replace(readme.SIDE_BY_SIDE, lines)
    for path in filter(None, [words.plot, PICTURE if words.write else None]):
        draw(chart(results), path)
    ours = [price for (_, name), prices in results.prices.items() if "gateway" in name for price in prices]
    return 1 if any(price.faults for price in ours) or results.troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
