"""Several workers as one gateway: the ports that they share, and what is said for all of them.

The supervisor (`process.supervisor`) knows only processes and sockets. Here are the settings: which ports are opened or
were passed by systemd, the ready line, the ports file with the supervisor's pid, the dashboard's link, and what systemd
is told. A worker says none of it itself.
"""

import os
from collections.abc import Callable
from typing import Protocol, cast

from gateway import wording
from gateway.config.settings import Settings, value_of
from gateway.config.values import veiled_url
from gateway.process import ready
from gateway.process.shared_counts import CONNECTIONS
from gateway.process.supervisor import Assignment, Sockets, Supervisor
from gateway.process.systemd import ServiceManager
from gateway.tcp.server import Server, new_selector


class SecretFile(ready.PageFile, Protocol):
    """The file in the data folder, and the secret in it, which all workers know."""

    @property
    def secret(self) -> str: ...
    def remove(self) -> None: ...


def supervise(settings: Settings, passed: Sockets, key: SecretFile, link: Callable[[str], str]) -> Assignment | int:
    """Open the ports that were not passed to us and keep the settings' workers until told to stop; return the exit
    code, or in a forked worker its assignment. `link` returns a link to the dashboard at the page's address. Raises
    StartError."""
    manager, sockets = ServiceManager.of(os.environ), opened(settings, passed)
    doors = [(name, *each.getsockname()[:2]) for name in ready.DOORS for each in sockets.get(name, ())]
    hosts = list(dict.fromkeys(host for _, host, _ in doors)) if passed else settings.host
    scheme = "http" if settings.tls_cert is None else "https"
    kept = f"Redis at {veiled_url(settings.redis or '')}"
    said = ready.Announcement(doors, hosts, scheme, settings.web.base_path, kept, settings.ports_file, key)

    def status() -> str:
        line = ready.ready_line(doors, scheme)
        count = supervisor.shared.total(CONNECTIONS)
        return wording.STATUS_WORKERS.format(doors=line, connections=count, workers=settings.workers)

    def announce() -> None:
        said.tell(link)
        manager.ready(status())

    supervisor = Supervisor(
        settings.workers,
        sockets,
        key.secret,
        ready=announce,
        beat=lambda: manager.alive(status),
        reloaded=lambda done: manager.ready(status()) if done else manager.reloading(),
        stopping=lambda: manager.stopping(wording.STATUS_STOPPING_WORKERS),
    )
    found = supervisor.run()
    manager.close()
    if isinstance(found, int):
        key.remove()
    return found


def opened(settings: Settings, passed: Sockets) -> Sockets:
    """The listening sockets of all doors: those that were passed to us, and for the other doors new ones. Raises
    StartError."""
    server = Server(new_selector("auto"))
    sockets = dict(passed)
    for name in ready.DOORS:
        if name not in sockets:
            listeners = server.listen_all(
                settings.host, cast(int, value_of(settings, f"{name}_port")), lambda sock, address: None
            )
            sockets[name] = [each.sock for each in listeners]
            for each in listeners:
                each.pause()
    server.selector.close()
    return sockets
