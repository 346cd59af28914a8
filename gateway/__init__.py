"""A chat gateway: netcat, telnet and browsers in one room, on one broadcast hub."""

__version__ = "0.1.0"
