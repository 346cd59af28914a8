"""The web door: chat page, WebSocket, HTTP API and dashboard. The only place with aiohttp and jinja2."""
