"""TLS for the tests: certificates that are made when they run, and a client without a socket."""

import contextlib
import ssl
from pathlib import Path
from typing import NamedTuple

import trustme

from gateway.tls import Certificate, TlsSession

NAMES = ("localhost", "127.0.0.1", "::1", "chat.example.org")


class Pair(NamedTuple):
    """The files of a certificate and its key."""

    cert: Path
    key: Path

    @property
    def flags(self) -> tuple[str, str]:
        """As the gateway's command line takes them."""
        return f"--tls-cert={self.cert}", f"--tls-key={self.key}"


class Certificates:
    """An issuer and what it has issued, as files in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issuer = trustme.CA()
        self.trusted = folder / "trusted.pem"
        self.issuer.cert_pem.write_to_path(str(self.trusted))
        self.pair = self.issue("gateway")

    def issue(self, name: str, key: trustme.KeyType = trustme.KeyType.ECDSA, issuer: trustme.CA | None = None) -> Pair:
        """A new certificate for this machine, with its chain."""
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        made = (issuer or self.issuer).issue_cert(*NAMES, key_type=key)
        pair.cert.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        pair.key.write_bytes(made.private_key_pem.bytes())
        pair.key.chmod(0o600)
        return pair

    def trust(self, **options: ssl.TLSVersion) -> ssl.SSLContext:
        """A client's context that trusts the issuer; `maximum_version=ssl.TLSVersion.TLSv1_2` and the like."""
        context = ssl.create_default_context(cafile=str(self.trusted))
        for name, value in options.items():
            setattr(context, name, value)
        return context

    def certificate(self) -> Certificate:
        """What the gateway makes of the pair."""
        return Certificate(*self.pair)


class TlsClient:
    """A client in memory: text in and bytes out, bytes in and text out."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.object = context.wrap_bio(self._in, self._out, server_hostname=NAMES[0])
        self.ready = False
        self.ended = False
        """Whether the server has said close_notify."""

    def begin(self) -> bytes:
        """The hello."""
        self.takes(b"")
        return self.output()

    def takes(self, data: bytes) -> bytes:
        """Take bytes of the server; the text in them. What is to be answered is in `output`."""
        self._in.write(data)
        text = b""
        try:
            if not self.ready:
                self.object.do_handshake()
                self.ready = True
            while piece := self.object.read(65536):
                text += piece
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return text

    def says(self, text: bytes) -> bytes:
        """The text as bytes for the server."""
        self.object.write(text)
        return self.output()

    def leaves(self) -> bytes:
        """close_notify."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.object.unwrap()
        return self.output()

    def output(self) -> bytes:
        """What is to be sent to the server."""
        return self._out.read()


def introduce(client: TlsClient, session: TlsSession) -> None:
    """Let both shake hands."""
    data = client.begin()
    while not session.shake_hands(data):
        client.takes(session.take())
        data = client.output()
    client.takes(session.take())
