"""TLS for the web door: between the loop's transport, which carries bytes, and the HTTP protocol, which sees text.

The handshake was made before (`tcp.tls_handshake`); what is left is a transport like any other. `gateway.tls` says why
it is not the loop's own. What that gives here:

- A client that half-closes, by close_notify or by a bare end of file, gets its response.
- A farewell is close_notify, then the shutdown of our side; what still comes is read out like without TLS.
- Pausing holds no text back: all that was decrypted has been handed over by then, and only an end may be left.
"""

import asyncio
import ssl
from typing import Any, cast

from gateway.tls import TlsSession


class TlsTransport(asyncio.Transport):
    """What the HTTP protocol writes to. Buffers and limits are those of the transport below."""

    def __init__(self, below: asyncio.Transport, layer: "TlsLayer") -> None:
        super().__init__()
        self._below = below
        self._layer = layer
        self._tls = layer.tls
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and write. After the end of our side, and on a broken connection, it does nothing."""
        if self._tls.left or self._below.is_closing():
            return
        try:
            self._tls.write(bytes(data))
        except ssl.SSLError:
            self._below.abort()
            return
        self.send_outgoing()

    def send_outgoing(self) -> None:
        """Write what the session has to send."""
        data = self._tls.take()
        if data and not self._below.is_closing():
            self._below.write(data)

    def can_write_eof(self) -> bool:
        """Our side can be shut down alone."""
        return True

    def write_eof(self) -> None:
        """Say close_notify, then shut down our side."""
        self._leave()
        if not self._below.is_closing():
            self._below.write_eof()

    def close(self) -> None:
        """Say close_notify, and close when all is written."""
        self._leave()
        self._below.close()

    def _leave(self) -> None:
        self._tls.leave()
        self.send_outgoing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Call this protocol from now on."""
        self._layer.above = cast(asyncio.Protocol, protocol)

    def abort(self) -> None:
        """Close at once."""
        self._below.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._below.is_closing()

    def pause_reading(self) -> None:
        """Read nothing for now."""
        self.paused = True
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self.paused = False
        self._below.resume_reading()
        self._layer.go_on()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return not self.paused

    def get_write_buffer_size(self) -> int:
        """Bytes that are encrypted and not sent."""
        return self._below.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high mark of that."""
        return self._below.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set them."""
        self._below.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`sslcontext` says that this is TLS; the rest is known below."""
        return self._tls.context if name == "sslcontext" else self._below.get_extra_info(name, default)


class TlsLayer(asyncio.Protocol):
    """What the loop's transport calls. `above` is the HTTP protocol."""

    def __init__(self, tls: TlsSession, above: asyncio.Protocol) -> None:
        self.tls = tls
        self.above = above
        self._loop = asyncio.get_running_loop()
        self._transport: TlsTransport | None = None
        self._told = False
        """Whether the protocol above knows of the peer's end."""
        self._kept = False
        """Whether it keeps the connection in spite of that."""
        self._fault: BaseException | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is complete already, and text may have come with it."""
        self._transport = TlsTransport(cast(asyncio.Transport, transport), self)
        self.above.connection_made(self._transport)
        self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        """Decrypt what has come and hand it on."""
        transport, tls = self._transport, self.tls
        if transport is None or tls.left or tls.ended:
            return
        try:
            text = tls.feed(data)
        except ssl.SSLError as problem:
            self._fault = problem
            transport.send_outgoing()
            transport.close()
            return
        if text:
            self.above.data_received(text)
        transport.send_outgoing()  # if it fails the loop ends the connection, behind what was handed on
        self.go_on()

    def go_on(self) -> None:
        """Tell the protocol above of an end or a fault that came behind the text it has got."""
        if self.tls.fault is not None or self.tls.ended:
            self._loop.call_soon(self._tell_of_the_end)

    def _tell_of_the_end(self) -> None:
        """In a turn of its own: HTTP begins with the request that came before it in the turn after that."""
        transport, tls = self._transport, self.tls
        if transport is None or transport.paused:
            return
        if tls.fault is not None and self._fault is None:
            self.data_received(b"")
        elif tls.ended and not self._told and not self._ends():
            transport.close()

    def _ends(self) -> bool:
        """Tell it of the peer's end; return whether it keeps the connection."""
        self._told = True
        self._kept = bool(self.above.eof_received())
        return self._kept

    def eof_received(self) -> bool:
        """The peer has shut down its side. Return True to keep the connection."""
        keep = self._kept if self._told else self._ends()
        if not keep and self._transport is not None:
            self._transport.close()
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended."""
        self._transport = None
        above, self.above = self.above, asyncio.Protocol()  # it knows our transport: a circle
        above.connection_lost(cast(Exception | None, exc or self._fault))

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self.above.pause_writing()

    def resume_writing(self) -> None:
        """The write buffer has room again."""
        self.above.resume_writing()
