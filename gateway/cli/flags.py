"""Flags: how every setting becomes one, and how what was typed is read."""

import argparse
import sys
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from gateway import __version__, wording
from gateway.config.settings import SETTINGS, Setting
from gateway.config.sources import nearest
from gateway.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class FlagParser(argparse.ArgumentParser):
    """argparse, except that mistakes are raised and that a closed pipe is noticed while it can still be handled."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(wording.FLAGS_LISTED.format(message=message, prog=self.prog))

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        # argparse's own version ignores a full device or a closed pipe.
        if message and file is not None:
            file.write(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit after the help."""
        flush_output()
        super().exit(status, message)


def flush_output() -> None:
    """Flush what was printed, so that a closed pipe is noticed now. With `>&-` there is no standard output at all."""
    if sys.stdout is not None:
        sys.stdout.flush()


def settings_parser(name: str, description: str, shown: Collection[str] = SETTINGS.keys()) -> FlagParser:
    """A parser with a flag for every setting; those not `shown` are accepted, but stay out of the help."""
    parser = FlagParser(
        prog=f"gateway {name}",
        usage=f"gateway {name} [OPTIONS]",
        description=description,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=34),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=f"gateway {__version__}")
    parser.add_argument("--config", metavar="FILE", default="", help="TOML file with settings [none]")
    for setting in SETTINGS.values():
        add_flags(parser, setting, shown=setting.name in shown)
    return parser


def add_flags(parser: argparse.ArgumentParser, setting: Setting, *, shown: bool) -> None:
    """Add every spelling of a setting's flag, the documented one with help."""
    behaviour: dict[str, Any] = {"dest": setting.name, "metavar": setting.form.placeholder}
    if setting.repeatable:
        behaviour["action"] = "append"
    if setting.switch:
        behaviour = {"dest": setting.name, "action": "store_const", "const": "true"}
        for flag in setting.flags:
            parser.add_argument(f"--no-{flag[2:]}", **(behaviour | {"const": "false"}), help=argparse.SUPPRESS)
    for flag in setting.flags:
        documented = shown and flag == setting.flag
        parser.add_argument(flag, **behaviour, help=help_text(setting) if documented else argparse.SUPPRESS)


def help_text(setting: Setting) -> str:
    """What the help says about a flag; the default stands in brackets."""
    default = setting.usual or setting.toml(setting.default).strip('"[]') or "none"
    off = f"; --no-{setting.flag[2:]} turns it off" if setting.default is True else ""
    return f"{setting.meaning}{off} [{default}]".replace("%", "%%")


def given(parser: FlagParser, arguments: Sequence[str]) -> tuple[dict[str, str], str]:
    """The flags that were given, as text by setting name, and the --config file. Raises UsageError."""
    options, rest = parser.parse_known_args(arguments)
    if rest:
        unknown = rest[0].partition("=")[0]
        if not unknown.startswith("-"):
            parser.error(wording.UNEXPECTED_WORD.format(unknown=unknown))
        known = [flag for setting in SETTINGS.values() for flag in setting.flags]
        parser.error(wording.NO_FLAG.format(unknown=unknown, near=nearest(unknown, [*known, "--config"])))
    flags = {name: ",".join(value) if isinstance(value, list) else value for name, value in vars(options).items()}
    return flags, flags.pop("config")
