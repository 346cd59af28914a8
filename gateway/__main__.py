"""`python -m gateway`: the same program as the command `gateway`.

In a checkout it needs nothing installed: missing packages go into .venv, see `gateway.checkout`. Until that is done
only the standard library may be loaded, and before the version is known only what every Python understands; therefore
both parts are named instead of imported.
"""

import pkgutil
import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - in a checkout no installer has looked at requires-python
        sys.exit("gateway: needs Python 3.11 or newer, this is " + sys.version.split()[0])
    try:
        pkgutil.resolve_name("gateway.checkout:enter")(["-m", "gateway"])
        code = pkgutil.resolve_name("gateway.cli.main:main")()
    except KeyboardInterrupt:  # while the packages are looked for or imported; later `cli.main` sees to it
        code = 130
    sys.exit(code)
