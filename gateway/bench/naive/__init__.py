"""The ordinary ways to fan out, small and runnable alone, to measure the gateway against.

All speak the same: what anybody says goes to everybody, the sender included, as `guest-N: text`; a line, or a
WebSocket text frame. Port 0 means any. The first line on standard output is the port.
"""
