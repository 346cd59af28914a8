"""Why a measurement could not be made."""

from gateway.errors import GatewayError


class BenchError(GatewayError):
    """Nothing was measured: no gateway there, a door closed, nobody answers. One line with advice; exit code 1."""
