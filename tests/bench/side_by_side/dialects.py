"""What clients say to the peers of the comparison: MQTT 3.1.1, NATS, and texts over WebSockets, as bytes and without
I/O.

A room of the bench is a topic, a subject or a path. Whoever says something is subscribed too and hears it come back,
with every peer as with the gateway.
"""

from gateway.bench.delivery_check import Pieces, Split, client_frame
from gateway.bench.peer import ByDoor

CONNECT, PUBLISH, SUBSCRIBE = 0x10, 0x30, 0x82
CLEAN_SESSION = b"\x00\x04MQTT\x04\x02\x00\x00\x00\x00"
"""Version 4 of the protocol, a session that is not kept, no keepalive, and a name that the broker makes."""
SUBSCRIBED = b"\x90\x03\x00\x01\x00"
GREETING = b'CONNECT {"verbose":false,"pedantic":false}\r\n'


def packet(kind: int, body: bytes) -> bytes:
    """One packet of MQTT: its kind, the length in groups of seven bits, the body."""
    head, rest = bytearray([kind]), len(body)
    while rest > 0x7F:
        head.append(rest & 0x7F | 0x80)
        rest >>= 7
    head.append(rest)
    return bytes(head) + body


def split_packets(stream: bytes) -> Pieces:
    """Whole packets of MQTT, and the rest that is not a whole one yet."""
    pieces, start = [], 0
    while start + 2 <= len(stream):
        at, length, shift = start + 1, 0, 0
        while at < len(stream) and stream[at] & 0x80:
            length |= (stream[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
        if at == len(stream):
            break
        end = at + 1 + (length | stream[at] << shift)
        if end > len(stream):
            break
        pieces.append(stream[start:end])
        start = end
    return pieces, stream[start:]


def split_messages(stream: bytes) -> Pieces:
    """Whole lines of NATS, a `MSG` together with what it announces, and the rest."""
    pieces, start = [], 0
    while (feed := stream.find(b"\n", start)) >= 0:
        end = feed + 1
        if stream.startswith(b"MSG ", start):
            end += int(stream[start:feed].rpartition(b" ")[2]) + 2
        if end > len(stream):
            break
        pieces.append(stream[start:end])
        start = end
    return pieces, stream[start:]


class MqttDialect:
    """Quality of service 0, as chat messages would be sent."""

    arrived = SUBSCRIBED

    def path(self, room: str) -> str:
        """Only plain TCP is spoken."""
        return "/"

    def split(self, door: str) -> Split:
        """Packets."""
        return split_packets

    def arrive(self, door: str) -> bytes:
        """Subscribe to what newcomers say."""
        return self.enter(door, "newcomers")

    def enter(self, door: str, room: str) -> bytes:
        """Connect and subscribe, without waiting in between."""
        topic = len(room).to_bytes(2, "big") + room.encode()
        return packet(CONNECT, CLEAN_SESSION) + packet(SUBSCRIBE, b"\x00\x01" + topic + b"\x00")

    def enter_to_write(self, door: str, room: str) -> bytes:
        """As `enter`."""
        return self.enter(door, room)

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """Publish."""
        return packet(PUBLISH, len(room).to_bytes(2, "big") + room.encode() + text)


class NatsDialect:
    """Core NATS, nothing kept."""

    arrived = b"PONG"

    def path(self, room: str) -> str:
        """Only plain TCP is spoken."""
        return "/"

    def split(self, door: str) -> Split:
        """Lines and messages."""
        return split_messages

    def arrive(self, door: str) -> bytes:
        """Subscribe, and ask whether that was taken."""
        return self.enter(door, "newcomers") + b"PING\r\n"

    def enter(self, door: str, room: str) -> bytes:
        """Connect and subscribe."""
        return GREETING + f"SUB {room} 1\r\n".encode()

    def enter_to_write(self, door: str, room: str) -> bytes:
        """As `enter`."""
        return self.enter(door, room)

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """Publish."""
        return b"PUB %s %d\r\n%s\r\n" % (room.encode(), len(text), text)


class TextDialect(ByDoor):
    """The servers of `websocket_peers`: the path is the room, the first text lets somebody in, all others are said."""

    arrived = b"welcome"

    def path(self, room: str) -> str:
        """The room."""
        return f"/{room}"

    def arrive(self, door: str) -> bytes:
        """Say hello."""
        return client_frame(b"hello")

    def enter(self, door: str, room: str) -> bytes:
        """Say hello in the room of the path."""
        return client_frame(b"hello")

    def enter_to_write(self, door: str, room: str) -> bytes:
        """As `enter`."""
        return self.enter(door, room)

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """A text."""
        return client_frame(text)
