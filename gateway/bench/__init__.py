"""`gateway bench`: an outside client of the gateway that loads it, checks every byte it gets, and reports.

It knows the gateway's doors by their bytes only and imports nothing of the gateway but its error tree.

    cli ▶ plan ▶ load (peer ▶ reader) ▶ delivery_check ▶ report
    cli ▶ compare (naive servers and the gateway, each in turn) ▶ load
"""

from gateway.bench.cli import main

__all__ = ["main"]
