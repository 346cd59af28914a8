"""The web door: chat page, WebSocket, HTTP API and dashboard. The only place with aiohttp and jinja2."""

import ssl

# aiohttp's client, which a server never uses, reads the certificates of all authorities twice as soon as it is
# imported. That took a tenth of the start.
ssl.SSLContext.set_default_verify_paths = lambda self: None  # type: ignore[method-assign]
try:
    import aiohttp  # noqa: F401
finally:
    del ssl.SSLContext.set_default_verify_paths  # the method of its base is there again
