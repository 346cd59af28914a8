"""TLS: the certificate that the gateway presents, and one connection's session as bytes in, bytes out.

A session stands between a socket and what reads and writes it (`tcp.tls_connection`, `web.http.tls_transport`). It is
an `ssl.SSLObject` over two buffers in memory, not an `SSLSocket`, which the peers decide, not speed (a send of 80
bytes: plain 2.4 µs, this 3.6 to 4.7, SSLSocket 3.4):

- `echo hi | ncat --ssl` half-closes with a bare FIN, without close_notify, and waits for its answer; so do scripts that
  close their socket. OpenSSL takes an end of file that it sees for an error, after which it writes no more. Here it
  never sees one: the owner does, and goes on writing. A line without its end counts then, as it does without TLS.
- OpenSSL wants a write that was cut short to be repeated with the same bytes. A reader's next bytes may change
  meanwhile (a gap, a redaction). Here what is encrypted is only ever sent: `write` takes all of its text, and what the
  socket does not take stays in `outgoing` as it is.
- What is decrypted wakes no selector. Here `feed` returns all of it; what is left is less than a record, whose rest
  will make the socket readable.
- A read that has to write (an alert, an answer to KeyUpdate) leaves it in `outgoing`, and a write never has to read.

asyncio's own TLS is not used for the web door either: it knows no half-close (and logs a warning when asked for one),
holds 256 KiB for each connection, and bounds neither the number nor the time of the handshakes in a turn of the loop.

TLS 1.3 tickets are not sent: they are written when the handshake is complete, and a client that has sent all it had and
closed by then answers them with a reset, which may destroy what it sent. Without them a browser that comes back shakes
hands in full, which here costs a millisecond.
"""

import contextlib
import logging
import ssl
import stat
from pathlib import Path
from typing import Protocol

from gateway import wording
from gateway.errors import ConfigError

log = logging.getLogger(__name__)

RECORD_BYTES = 16384
"""The most text that one record holds (RFC 8446, 5.1)."""
UNREAD_ANSWERS = 65536
"""The most output that a peer may cause by reading alone, without taking any (answers to KeyUpdate)."""
HELLO = b"\x16"
"""The first byte of TLS: the type of a record of the handshake."""


class TlsSession:
    """The server's side of one connection. Bytes that are to be sent are in `outgoing`, after whatever call."""

    __slots__ = ("_from_peer", "_object", "_to_peer", "_unsent", "ended", "fault", "left")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._from_peer, self._to_peer, server_side=True)
        self._unsent = b""
        self.ended = False
        """Whether the peer has sent close_notify: it sends no more text, but may still read ours."""
        self.left = False
        """Whether we have sent close_notify."""
        self.fault: ssl.SSLError | None = None
        """What was wrong with the peer's bytes: nothing after it is read."""

    def shake_hands(self, data: bytes) -> bool:
        """Take bytes of the peer's handshake; return whether it is complete. Text may have come behind it: `feed` it
        nothing. Raises ssl.SSLError when it fails; an alert is then in `outgoing`."""
        self._from_peer.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the peer; return all the text that is complete. Raises ssl.SSLError for a record that was
        tampered with; the text before it is returned first, and the next call raises."""
        if self.fault is not None:
            raise self.fault
        self._from_peer.write(data)
        text = b""
        try:
            while not self.ended:
                piece = self._object.read(RECORD_BYTES)
                text += piece
                self.ended = not piece
            self._bound_answers()
        except ssl.SSLWantReadError:
            self._bound_answers()
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as problem:
            self.fault = problem
        if self.fault is not None and not text:
            raise self.fault
        return text

    def _bound_answers(self) -> None:
        if self._to_peer.pending + len(self._unsent) > UNREAD_ANSWERS:
            self.fault = ssl.SSLError(1, wording.TLS_DOES_NOT_READ)

    def write(self, text: bytes) -> None:
        """Encrypt all of `text`."""
        if text:
            self._object.write(text)

    def leave(self) -> None:
        """Say close_notify: nothing is written from now on. Whatever the peer sends later is not decrypted. Called
        again, or where the session is broken, it does nothing."""
        if not self.left:
            self.left = True
            # It then waits for the peer's close_notify, or finds text that was not read. Ours is written all the same.
            with contextlib.suppress(OSError, ValueError):
                self._object.unwrap()

    @property
    def outgoing(self) -> bytes:
        """Bytes that are to be sent, in this order; call `sent` for those that were."""
        if self._to_peer.pending:
            self._unsent += self._to_peer.read()
        return self._unsent

    def sent(self, count: int) -> None:
        """Drop the first bytes of `outgoing`: they were sent."""
        self._unsent = self._unsent[count:]

    def take(self) -> bytes:
        """All of `outgoing`, for an owner that sends whatever it takes."""
        data, self._unsent = self.outgoing, b""
        return data

    @property
    def version(self) -> str | None:
        """`TLSv1.3`; None before the handshake is complete."""
        return self._object.version()

    @property
    def context(self) -> ssl.SSLContext:
        """The context it was made of."""
        return self._object.context


class Certificate:
    """The certificate with its chain and its key, as contexts for new connections. Old ones keep theirs."""

    def __init__(self, cert: Path, key: Path | None) -> None:
        self._web: ssl.SSLContext
        self._terminals: ssl.SSLContext
        self.use(cert, key)

    def for_web(self) -> ssl.SSLContext:
        """The context of a new connection of the web door."""
        return self._web

    def for_terminals(self) -> ssl.SSLContext:
        """The context of a terminal's new connection."""
        return self._terminals

    def use(self, cert: Path, key: Path | None) -> None:
        """Present what is in these files now (`key` None: the key is in `cert` as well). Raises ConfigError, and then
        goes on with what it had."""
        web, terminals = _context(cert, key), _context(cert, key)
        web.set_alpn_protocols(["http/1.1"])
        doubt = _doubt(terminals, cert)
        if doubt is not None:
            log.warning(wording.LOG_CERT_DOUBT, cert, doubt)
        if (key or cert).stat().st_mode & stat.S_IROTH:
            log.warning(wording.LOG_KEY_EXPOSED, key or cert)
        self._web, self._terminals = web, terminals

    def reload(self, settings: "TlsFiles") -> None:
        """SIGHUP: read the files again, or those that the settings name now. What is wrong is logged."""
        if settings.tls_cert is None:
            log.warning(wording.LOG_RELOAD_RESTART, "tls_cert")
            return
        try:
            self.use(settings.tls_cert, settings.tls_key)
        except ConfigError as problem:
            log.error(wording.LOG_CERT_KEPT, problem)
        else:
            log.info(wording.LOG_CERT_NEW, settings.tls_cert)


class TlsFiles(Protocol):
    """The settings that name the files."""

    @property
    def tls_cert(self) -> Path | None: ...
    @property
    def tls_key(self) -> Path | None: ...


def certificate_of(settings: TlsFiles) -> Certificate | None:
    """The certificate that the settings name; None without one. Raises ConfigError."""
    return None if settings.tls_cert is None else Certificate(settings.tls_cert, settings.tls_key)


def check(settings: TlsFiles) -> int:
    """`gateway check`: try the certificate; return the exit code. Raises ConfigError."""
    certificate_of(settings)
    return 0


def _context(cert: Path, key: Path | None) -> ssl.SSLContext:
    _read("tls_cert", cert, b"-----BEGIN CERTIFICATE", "certificate")
    _read("tls_key", key or cert, b"PRIVATE KEY-----", "key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    try:
        context.load_cert_chain(cert, key, password=lambda: _no_password(key or cert))
    except ssl.SSLError as problem:
        if problem.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(wording.NOT_THE_KEY.format(key=key or cert, cert=cert)) from problem
        why = (problem.reason or str(problem)).replace("_", " ").lower()
        raise ConfigError(wording.CERTIFICATE_NOT_TAKEN.format(cert=cert, key=key or cert, why=why)) from problem
    except OSError as problem:
        raise ConfigError(f"tls_cert, tls_key: {problem.strerror or problem}") from problem
    return context


def _no_password(key: Path) -> str:
    raise ConfigError(wording.KEY_ENCRYPTED.format(key=key))  # fmt: skip


def _read(setting: str, path: Path, mark: bytes, what: str) -> None:
    """Raise ConfigError if there is nothing of the kind in the file: OpenSSL would not say which one is wrong."""
    try:
        content = path.read_bytes()
    except OSError as problem:
        words = wording.CERTIFICATE_UNREADABLE.format(setting=setting, path=path, why=problem.strerror)
        raise ConfigError(words) from problem
    if mark not in content:
        elsewhere = wording.KEY_NOT_NAMED if setting == "tls_key" and b"CERTIFICATE" in content else ""
        raise ConfigError(wording.NOTHING_IN_PEM.format(setting=setting, what=what, path=path, elsewhere=elsewhere))


def _doubt(context: ssl.SSLContext, cert: Path) -> str | None:
    """What a client will say against the certificate whatever its name is (it has expired, say); None if nothing. It is
    tried by a client in memory that trusts exactly this one."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cafile=cert)
    session, from_server, to_server = TlsSession(context), ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = client.wrap_bio(from_server, to_server)
    try:
        for _ in range(4):
            try:
                peer.do_handshake()
                break
            except ssl.SSLWantReadError:
                session.shake_hands(to_server.read())
                from_server.write(session.take())
    except ssl.SSLCertVerificationError as problem:
        return str(problem.verify_message)
    except ssl.SSLError as problem:
        return str(problem.reason)
    return None
