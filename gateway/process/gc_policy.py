"""When Python's collector of cyclic garbage walks over everything: in a quiet second, not in the middle of a rush.

A full collection stops the loop meanwhile: 50 to 80 ms with 10,000 sessions. Python starts one whenever the
number of objects has grown by a quarter, so precisely while thousands come or go. Here instead:

- What the start has made (modules, classes) stays for ever and is left out of all walks (`gc.freeze`).
- The two young generations are collected as usual: that costs little, and most garbage dies there.
- The old generation is collected in a second with little to do, if MUCH has aged since; in a process that is never
  idle, when TOO_MUCH has. What survives (sessions, mostly) is left out of the next walks like what the start has made,
  so a dashboard's snapshots, which age by the ten thousand, do not make it walk over every session again and again.
- Every WHOLE-th walk is over everything.

What this gives up: garbage that has aged waits longer, TOO_MUCH of it at most, and cycles among what has survived one
walk wait for a whole one. A connection that ends leaves no cycles.
"""

import gc

QUIET = 0.2
"""The largest share of a second that the process may have computed for the second to count as quiet."""
YOUNG, MIDDLE = 700, 10
"""Python's own thresholds: how many objects are made and not freed until the youngest generation is collected, and how
often that happens until the next generation is."""
MUCH = 10
"""Collections of the middle generation since the last full one, each after about 7,000 objects more."""
TOO_MUCH = 200
WHOLE = 100


class GcPolicy:
    """One per process; `beat` once a second."""

    def __init__(self) -> None:
        self._cpu_seconds = 0.0
        self._walks = 0

    def start(self) -> None:
        """Everything is built: from now on only `beat` collects the old generation. The start leaves so little garbage
        (a few objects) that looking for it, 0.05 s, is not worth it."""
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, 1_000_000)

    def beat(self, cpu_seconds: float) -> None:
        """A second is over; `cpu_seconds` is what the process has computed since its start."""
        used, self._cpu_seconds = cpu_seconds - self._cpu_seconds, cpu_seconds
        aged = gc.get_count()[2]
        if aged >= TOO_MUCH or (aged >= MUCH and used < QUIET):
            self._walks += 1
            if self._walks % WHOLE == 0:
                gc.unfreeze()
            gc.collect()
            gc.freeze()
