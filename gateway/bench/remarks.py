"""What servers say beside the messages: counted, and the words that explain a bad run kept."""

import re

KEPT = 8
TELLING = re.compile(rb'^!! |^-- \d+ lines? skipped|"type":"(?:error|gap|bye)"', re.MULTILINE)
PACING = re.compile(rb"rate_limited")


class Noise:
    """Everything that is not a message of the run: presence, notices, pings, refusals, gaps."""

    def __init__(self) -> None:
        self.count = 0
        self.paced = False
        self.kept: dict[str, int] = {}

    def note(self, piece: bytes) -> None:
        """One line or one frame's payload that is no message."""
        self.count += 1
        if TELLING.search(piece):
            self.paced = self.paced or PACING.search(piece) is not None
            self.keep(piece.decode("utf-8", "replace").strip())

    def keep(self, words: str) -> None:
        """Something the report shall show; the same words only once, and not too many in all."""
        if words in self.kept or len(self.kept) < KEPT:
            self.kept[words] = self.kept.get(words, 0) + 1
