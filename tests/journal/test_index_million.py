"""A million messages in the index, by name only: `pytest -m soak -k million -s` prints what it costs and how long each
kind of search takes."""

import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.ports.index import Found, SearchQuery
from gateway.core.protocol.message import Message
from gateway.journal.index import SqliteIndex
from tests.fakes import new_index

MESSAGES = 1_000_000
BATCH = 500
WORDS = [f"w{number:x}" for number in range(40_000)]
"""Their frequency falls as that of words in a language: the second is half as frequent as the first."""
WEIGHTS = [1 / (rank + 1) for rank in range(len(WORDS))]
HAN = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
NICKS = [f"nick{number}" for number in range(200)]
NEEDLES = (1000, MESSAGES // 2, MESSAGES - 1000)
QUERIES: dict[str, dict[str, Any]] = {
    "common word": {"words": ("w0",)},
    "beginning of many words": {"words": ("w1f",)},
    "beginning of no word": {"words": ("nowh",)},
    "common word of an author": {"words": ("w0",), "nicks": ("nick7",)},
    "three common words": {"words": ("w0", "w1", "w2")},
    "common words, early": {"words": ("w0", "w1"), "before": MESSAGES * 100},
    "word that is there three times": {"words": ("needle",)},
    "word that is not there": {"words": ("nowhere",)},
    "common word and one not there": {"words": ("w0", "nowhere")},
    "one Han character": {"words": (HAN[5],)},
    "two Han characters": {"words": (HAN[5] + HAN[77],)},
    "phrase of common words": {"words": ("w0-w1-w0",)},
    "author": {"words": (), "nicks": ("nick7",)},
    "author who is not there": {"words": (), "nicks": ("nobody",)},
}


def batches() -> Iterator[list[Message]]:
    """Messages of twelve words, every fifth of twenty Han characters, in five rooms."""
    dice = random.Random(1)
    heads: dict[str, int] = dict.fromkeys(("ops", "dev", "web", "qa", "lobby"), 0)
    for start in range(0, MESSAGES, BATCH):
        words = iter(dice.choices(WORDS, WEIGHTS, k=12 * BATCH))
        batch = []
        for number in range(start, start + BATCH):
            room = dice.choice(list(heads)) if number not in NEEDLES else "ops"
            heads[room] += 1
            text = " ".join(next(words) for _ in range(12)) if number % 5 else "".join(dice.choices(HAN, k=20))
            text += " needle" if number in NEEDLES else ""
            batch.append(Message(room, number * 1000, dice.choice(NICKS), "tcp", "say", text, seq=heads[room]))
        yield batch


def asked(index: SqliteIndex, **query: Any) -> tuple[Found, float]:
    found: list[Any] = []
    began = time.perf_counter()
    index.find(SearchQuery(("ops",), **query)).then(found.append)
    took = time.perf_counter() - began
    assert isinstance(found[0], Found), found
    return found[0], took


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_million_messages(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    index = new_index(path)
    cost = 0.0
    for batch in batches():
        began = time.process_time()
        index.add(batch)
        cost += time.process_time() - began
    print(
        f"\n{cost / MESSAGES * 1e6:.1f} µs of processor time and {path.stat().st_size / MESSAGES:.0f} bytes a message"
    )
    for name, query in QUERIES.items():
        (found, first), *others = [asked(index, **query) for _ in range(8)]
        median = statistics.median(took for _, took in others)
        print(f"{name:32} {len(found.messages):3} found, first {first * 1e3:6.1f} ms, then {median * 1e3:6.1f} ms")
    assert len(asked(index, words=("needle",))[0].messages) == 3
    began, spent = time.perf_counter(), time.process_time()
    found, _ = asked(index, words=("needle",))
    index.remove([(found.messages[1].room, found.messages[1].seq)], 1)
    print(f"a removal: {time.perf_counter() - began:.2f} s, of the processor {time.process_time() - spent:.2f} s")
    assert len(asked(index, words=("needle",))[0].messages) == 2
    index.close()
