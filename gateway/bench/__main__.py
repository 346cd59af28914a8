"""`python -m gateway.bench fanout …` is `gateway bench fanout …`."""

import sys

from gateway.bench.cli import main

sys.exit(main(sys.argv[1:]))
