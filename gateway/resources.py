"""The files that are not Python: the wheel carries templates/ inside the package, a checkout has it beside."""

from pathlib import Path

from gateway.errors import StartError

PACKAGE = Path(__file__).resolve().parent
STATIC = PACKAGE / "web" / "static"


def templates(package: Path = PACKAGE) -> Path:
    """The folder of the page templates. Raises StartError when there is none."""
    checkout = package.parent
    if (package / "templates").is_dir():
        return package / "templates"
    if (checkout / "pyproject.toml").is_file() and (checkout / "templates").is_dir():
        return checkout / "templates"
    raise StartError(f"the page templates are missing, neither in {package} nor beside it: install the gateway again")
