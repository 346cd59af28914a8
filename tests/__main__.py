"""`python3 tests`: lint, types and every test. Arguments are pytest's.

Needs only Python: the packages go into .venv, the programs that the tests talk to come by apt-get where that works
without a password. The two parts are named instead of imported because the second needs what the first installs.
"""

import pkgutil
import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs before any installer has looked at requires-python
        sys.exit("the tests need Python 3.11 or newer, this is " + sys.version.split()[0])
    TESTS = Path(__file__).resolve().parent
    sys.path.insert(0, str(TESTS.parent))
    pkgutil.resolve_name("gateway.checkout:enter")([str(TESTS)], ["test"])
    sys.exit(pkgutil.resolve_name("tests.suite.command:main")(sys.argv[1:]))
