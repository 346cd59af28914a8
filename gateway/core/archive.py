"""The store as a whole: what operators do with all of it at once."""

from collections.abc import Callable
from typing import Protocol

from gateway.core.answer import Answer
from gateway.errors import JournalError


class Whole(Protocol):
    """The part of a journal that is for operators. Every verb is answered as those of `ports.Journal` are."""

    def copy(self, file: str, replace: bool, going: Callable[[int, int], bool]) -> Answer[JournalError | None]:
        """Write everything that the journal holds into the file of that (absolute) name, which is complete when it is
        answered, or not there.

        1. It is done in slices, between which other verbs are done. After each `going` is called with the pages that
           are copied and those that there are, and says whether to go on.
        2. A file that is there is not touched, unless it is to be replaced, and then only when the new one is complete.
        3. A journal that is started from the file gives every room a new epoch.
        """

    def new_epoch(self, room: str) -> Answer[bool | JournalError]:
        """Give a stored room a new random epoch; its numbers go on. False: there is no such room."""
