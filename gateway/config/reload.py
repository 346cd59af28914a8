"""SIGHUP: the settings are read again from where they came, and what can change while the gateway runs changes.

Parts register the settings that they can change (`Reloading.on`); a changed setting that no part can change is logged
as needing a restart, at each reload, until it has its old value again. Wrong settings change nothing at all. Reading
takes about 3 ms of the loop (a small file and the checks of all settings); applying must take no longer.

A module of its own because commands that only read settings need no logging, which costs a tenth of `gateway --help`.
"""

import logging
from collections.abc import Callable, Sequence

from gateway import wording
from gateway.config.settings import SETTINGS, Settings, value_of
from gateway.errors import GatewayError

log = logging.getLogger(__name__)

Apply = Callable[[Settings], None]


class Reloading:
    """`settings` are those of the start; `again` reads them again and raises ConfigError."""

    def __init__(self, settings: Settings, again: Callable[[], Settings]) -> None:
        self._running = {name: value_of(settings, name) for name in SETTINGS}
        self._again = again
        self._takers: list[tuple[Sequence[str], Apply]] = []
        self._always: list[Apply] = []

    def on(self, *names: str, apply: Apply) -> None:
        """Call `apply` with the new settings when one of these has changed. A name is a setting's, or a section's with
        its dot (`limits.`)."""
        self._takers.append((names, apply))

    def on_files(self, *names: str, apply: Apply) -> None:
        """The same at every reload: these name files whose content may have changed."""
        self._takers.append((names, lambda new: None))
        self._always.append(apply)

    def reload(self) -> None:
        """Read and apply. Raises nothing: what is wrong is logged."""
        try:
            settings = self._again()
        except GatewayError as problem:
            log.error(wording.LOG_RELOAD_WRONG, "; ".join(str(problem).splitlines()))
            return
        found = {name: value_of(settings, name) for name in SETTINGS}
        changed = [name for name, value in found.items() if value != self._running[name]]
        taken = [name for name in changed if any(_names(names, name) for names, _ in self._takers)]
        for names, apply in self._takers:
            if any(_names(names, name) for name in taken):
                self._attempt(lambda apply=apply: apply(settings))  # type: ignore[misc]
        for apply in self._always:
            self._attempt(lambda apply=apply: apply(settings))  # type: ignore[misc]
        self._running |= {name: found[name] for name in taken}
        said = wording.RELOAD_CHANGED.format(settings=", ".join(taken)) if taken else wording.RELOAD_SAME
        log.info(wording.LOG_RELOADED, said)
        left = [name for name in changed if name not in taken]
        if left:
            log.warning(wording.LOG_RELOAD_RESTART, ", ".join(left))

    def _attempt(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            log.exception(wording.LOG_RELOAD_FAILED)


def _names(names: Sequence[str], name: str) -> bool:
    return any(name.startswith(each) if each.endswith(".") else name == each for each in names)
