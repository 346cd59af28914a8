"""What importing the package does to others."""

import ssl
import subprocess
import sys

from gateway.checkout import ROOT
from tests.fakes import PATIENCE


def test_the_certificates_of_authorities_are_read_by_those_who_ask_only() -> None:
    """aiohttp's own client has read none, which is what made its import slow; a client of Redis finds them all."""
    words = (
        "import gateway.web, aiohttp.connector, ssl;"
        "mine = ssl.create_default_context();"
        "print(len(aiohttp.connector._SSL_CONTEXT_VERIFIED.get_ca_certs()), len(mine.get_ca_certs()))"
    )
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.split() == ["0", str(len(ssl.create_default_context().get_ca_certs()))], done.stderr
