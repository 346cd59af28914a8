"""A supervisor with workers that only tell a peer their pid: `python toy_workers.py COUNT [EXIT_CODE]`.

What happens is printed a line at a time. With EXIT_CODE the second worker ends with it before it is ready.
"""

import os
import signal
import socket
import sys

from gateway.process.supervisor import Assignment, Supervisor
from gateway.process.systemd import ServiceManager
from gateway.tcp.server import Server, new_selector


def work(assignment: Assignment) -> int:
    """Accept until told to stop."""
    if len(sys.argv) > 2 and assignment.place == 1:
        return int(sys.argv[2])
    manager, server = ServiceManager(assignment.mouth), Server(new_selector("auto"))
    manager.gone = server.stop
    peers: list[socket.socket] = []

    def accepted(peer: socket.socket, address: str) -> None:
        peers.append(peer)
        assignment.part.connections(1)
        peer.send(f"{os.getpid()}\n".encode())

    def beat() -> None:
        manager.alive(lambda: "")
        server.later(0.1, beat)

    listener = server.adopt(assignment.sockets["tcp"][0], accepted, assignment.part.busier)
    assignment.part.accepts(True)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    signal.signal(signal.SIGHUP, lambda *_: manager.ready("again"))
    signal.signal(signal.SIGUSR2, lambda *_: listener.pause() if listener.accepting else listener.open())
    manager.ready("")
    beat()
    server.run()
    return 0


def main() -> int:
    """Supervise, or work."""
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    supervisor = Supervisor(
        int(sys.argv[1]),
        {"tcp": [sock]},
        "secret",
        ready=lambda: print("ready", sock.getsockname()[1], flush=True),
        beat=lambda: None,
        reloaded=lambda done: print("reloaded" if done else "reloading", flush=True),
        stopping=lambda: print("stopping", flush=True),
    )
    found = supervisor.run()
    return found if isinstance(found, int) else work(found)


if __name__ == "__main__":
    sys.exit(main())
