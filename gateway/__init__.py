"""A chat gateway: netcat, telnet, browsers and curl in the same rooms, on one hub."""

__version__ = "0.1.0"
