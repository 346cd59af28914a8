"""`gateway serve`: one process, or a supervisor and its workers; alone, or as a node of those that share a Redis.

What may fail before any port opens fails here: the descriptors, the data folder, the certificate, the Redis. With
`--workers` this process becomes the supervisor (`process.supervisor`), which forks; in each child `supervise` returns
the worker's assignment, and that child goes on as a gateway, with a folder of its own for what can be made again.

The workers are one gateway to whoever started it, so the supervisor's process says what is said for all of them: the
ready line, the ports file with its own pid, the link to the dashboard, and what systemd is told. A worker says none of
that.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from gateway import wording
from gateway.config.settings import Settings, value_of
from gateway.config.values import veiled_url
from gateway.errors import StartError
from gateway.listeners import by_port_name
from gateway.login_link import LoginLinkKey, link_of
from gateway.process import logs, ready
from gateway.process.files import KEY_BYTES, hold_folder, kept_key
from gateway.process.ready import hold_standard_descriptors
from gateway.process.resources import require_descriptors
from gateway.process.shared_counts import CONNECTIONS
from gateway.process.supervisor import Assignment, Sockets, Supervisor
from gateway.process.systemd import ServiceManager, passed_sockets
from gateway.reload import accounts_of
from gateway.server import Gateway
from gateway.tcp.server import Server, new_selector
from gateway.tls import certificate_of

if TYPE_CHECKING:
    from gateway.redis.node import Node

try:
    import uvloop
except ImportError:
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    new_loop = uvloop.new_event_loop


def serve(settings: Settings, again: Callable[[], Settings]) -> int:
    """Run the gateway until told to stop; return the exit code. `again` reads the settings anew. Raises StartError."""
    require_descriptors()
    hold_standard_descriptors()
    logs.start(settings.log_level, settings.log_format)
    worker = None
    if settings.workers > 1:
        certificate_of(settings)  # what is wrong is told once
        accounts, key = accounts_of(settings.admin), LoginLinkKey(settings.data)
        hold_folder(settings.data)
        passed = by_port_name(passed_sockets(os.environ), settings)
        found = supervise(
            settings, passed, key, lambda page: "" if accounts.has_operators else link_of(page, key.secret)
        )
        if isinstance(found, int):
            return found
        worker, folder, read_again = found, settings.data / f"worker-{found.part.number + 1}", again
        settings, again = replace(settings, data=folder), lambda: replace(read_again(), data=folder)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run(settings, again, worker))


async def run(settings: Settings, again: Callable[[], Settings], worker: Assignment | None = None) -> int:
    """Start, run and stop one gateway in the running loop, alone or as a worker; return the exit code."""
    if settings.redis is not None and not settings.memory:
        hold_folder(settings.data)  # nodes have no journal of their own whose lock would tell them apart
    key = secrets.token_bytes(KEY_BYTES) if settings.memory else kept_key(settings.data / "token.key")
    kept = settings.journal.stream_messages
    node = None if settings.redis is None else await join_nodes(settings.redis, kept, key)
    gateway = Gateway(settings, again, asyncio.get_running_loop(), key, node, worker)
    try:
        await gateway.start()
        await gateway.shutdown.asked.wait()
        gateway.manager.stopping(wording.STATUS_STOPPING.format(sessions=len(gateway.hub.sessions)))
        await gateway.shutdown.run()
    finally:
        await gateway.close()
    return 0


async def join_nodes(url: str, kept: int, key: bytes) -> "Node":
    """Become a node of those that share the Redis of `url`, and whose tokens `key` signs if they have no other. Raises
    StartError."""
    try:
        module = import_module("gateway.redis.node")  # not imported above: the package `redis` is optional
    except ModuleNotFoundError as missing:
        if missing.name != "redis":
            raise
        raise StartError(wording.NO_REDIS_PACKAGE) from None
    joined: Node = await module.join(url, kept, key)
    return joined


def supervise(settings: Settings, passed: Sockets, key: LoginLinkKey, link: Callable[[str], str]) -> Assignment | int:
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
