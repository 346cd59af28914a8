"""The command line: a table of commands, and how flags become settings.

Whatever a command needs beyond the settings is named in the table as "module:function" and loaded when the command
runs, so that `gateway --help` and `gateway check` stay light. For the same reason the help is argparse's own: rich,
with which `gateway status` draws its tables, would make `--help` a third slower (0.04 s on top of 0.13 s).
"""

import argparse
import codecs
import contextlib
import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name

from gateway import wording
from gateway.cli.flags import FlagParser, flush_output, given, settings_parser
from gateway.config.credentials import MEMBER, ROLES, ROOT_NAME, check_name
from gateway.config.settings import PREFIX, SETTINGS, Settings, markdown_table
from gateway.config.sources import Loaded, load, load_again, near
from gateway.config.values import WrongValue
from gateway.errors import ConfigError, StartError, UsageError

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h
EXIT_INTERRUPTED = 130  # what shells report for a program that SIGINT ended
DEFAULT_COMMAND = "serve"
PRINTED = {
    "socket": "the unit of the sockets, which outlive a restart",
    "container": "a container file, to be built in a checkout",
    "compose": "a compose file for it, with a Redis that holds the journal",
}
"""What `gateway service` prints besides the unit."""
HABITS = {"help": ["--help"], "version": ["--version"]}
"""Flags that other programs have as commands: `gateway help status` is `gateway status --help`."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One word of the command line.

    `run` gets the command itself and the arguments after its word, and returns the exit code. `entry` is the
    "module:function" that does the work, `classic` the one that does it with `--classic`.
    """

    summary: str
    example: str
    run: Callable[["Subcommand", Sequence[str]], int]
    entry: str = ""
    classic: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 clean, 1 cannot run, 2 wrong usage, 78 wrong settings."""
    if arguments is None:
        # Until the gateway handles them: a reload or a log rotation that comes while it starts must not end it.
        for early in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(early, signal.SIG_IGN)
    escape_what_cannot_be_shown()
    try:
        code = dispatch(sys.argv[1:] if arguments is None else arguments, COMMANDS)
        flush_output()
        return code
    except UsageError as error:
        return fail(EXIT_USAGE, error)
    except ConfigError as error:
        return fail(EXIT_CONFIG, error)
    except StartError as error:
        return fail(EXIT_FAILURE, error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        drop_output()  # the reader has exited (`gateway check | head -1`)
        return EXIT_FAILURE
    except OSError as error:
        drop_output()
        if error.filename is None and isinstance(error, FileNotFoundError):
            return fail(EXIT_FAILURE, wording.FOLDER_GONE)
        what = f"{error.filename}: " if error.filename else wording.CANNOT_WRITE_OUTPUT
        return fail(EXIT_FAILURE, f"{what}{error.strerror}")


def escape_what_cannot_be_shown() -> None:
    """In an ASCII or Latin-1 locale, print `\\u00fc` for what cannot be shown, as TOML writes it, instead of
    failing."""
    codecs.register_error("unicode_escape", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="unicode_escape")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = map(ord, error.object[error.start : error.end])
    return "".join(f"\\u{each:04x}" if each < 0x10000 else f"\\U{each:08x}" for each in letters), error.end


def drop_output() -> None:
    """Discard what was printed and cannot be written; at exit the interpreter would try again, and print its error."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(code: int, error: Exception | str) -> int:
    """Tell the operator what is wrong, each problem on a line of its own, and return the exit code."""
    for line in str(error).splitlines():
        tell(line)
    return code


def tell(line: str) -> None:
    """Print a line on standard error, if there is one."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"gateway: {line}", file=sys.stderr, flush=True)


def settled(loaded: Loaded) -> Settings:
    """The settings of a command, after printing their warnings."""
    for warning in loaded.warnings:
        tell(f"warning: {warning}")
    return loaded.settings


def dispatch(words: Sequence[str], commands: Mapping[str, Subcommand]) -> int:
    """Run the command that `words` begin with, or the default one when they begin with a flag."""
    if words and words[0] in HABITS:
        words = [*words[1:2], *HABITS[words[0]]]
    if words and words[0] in ("-h", "--help"):
        settings_parser("[COMMAND]", overview(commands)).parse_args(words)
    if not words or words[0].startswith("-"):
        words = [DEFAULT_COMMAND, *words]
    name, *arguments = words
    if name not in commands:
        meant = near(name, commands)
        advice = wording.NEAREST_IS.format(meant=meant) if meant else ""
        raise UsageError(wording.NO_COMMAND.format(name=name, advice=advice))
    return commands[name].run(commands[name], arguments)


def overview(commands: Mapping[str, Subcommand]) -> str:
    """Every command with an example, for `gateway --help`."""
    lines = ["A chat gateway: netcat, telnet and browsers in one room.", "", "commands:"]
    for name, command in commands.items():
        lines += [f"  {name:12}{command.summary}", f"  {'':12}    {command.example}"]
    lines += [
        "",
        f"`gateway COMMAND --help` explains one. Without a command it is {DEFAULT_COMMAND}, with these flags.",
    ]
    return "\n".join(lines)


def explanation(command: Subcommand) -> str:
    """One command with its example, for its own --help."""
    return f"{command.summary[0].upper()}{command.summary[1:]}.\n\nexample: {command.example}"


def serve(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway serve`: the gateway, or with --classic the origin's chat."""
    flags, config = given(settings_parser("serve", explanation(command)), arguments)
    settings = settled(load(flags, os.environ, config))
    if settings.classic:
        return start(command.classic, settings)
    return start(command.entry, settings, lambda: load_again(flags, os.environ, config).settings)


def echo(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway echo`: only the plain door, whatever the settings say about the others."""
    used = [name for name, setting in SETTINGS.items() if setting.origin]
    flags, config = given(settings_parser("echo", explanation(command), used), arguments)
    others = dict.fromkeys(("telnet_port", "web_port", "tcp_tls_port", "telnet_tls_port"), "-1")
    alone = others | {"tls_cert": "", "tls_key": "", "memory": "true"}
    return start(command.entry, settled(load(flags | alone, os.environ, config)))


def login_link(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway login-link`: the data folder says which gateway is meant."""
    flags, config = given(settings_parser("login-link", explanation(command), ["data"]), arguments)
    return start(command.entry, settled(load(flags, os.environ, config)))


def status(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway status`: the data folder, or an address and a token, say which gateway is meant."""
    parser = settings_parser("status", explanation(command), ["data"])
    parser.add_argument("--url", metavar="URL", default="", help="the page of a gateway elsewhere [the data folder's]")
    parser.add_argument("--token", metavar="TOKEN", default="", help="a token for that gateway's dashboard [none]")
    parser.add_argument("--json", action="store_const", const="true", default="", help="print the summary as JSON")
    flags, config = given(parser, arguments)
    asked = {name: flags.pop(name) for name in ("url", "token", "json")}
    elsewhere = {"memory": "true"} if asked["url"] else {}
    return start(command.entry, (settled(load(flags | elsewhere, os.environ, config)), asked))


def backup(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway backup FILE`."""
    parser = settings_parser("backup", explanation(command), ["data"])
    parser.usage = "gateway backup [OPTIONS] FILE"
    parser.add_argument("file", metavar="FILE", help="where to; a file that is there is left alone")
    parser.add_argument("--force", action="store_const", const="true", default="", help="replace a file that is there")
    return start_on_store(command, parser, arguments, "file", "force")


def export(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway export [FILE]`."""
    parser = settings_parser("export", explanation(command), ["data"])
    parser.usage = "gateway export [OPTIONS] [FILE]"
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="where to [- standard output]")
    parser.add_argument("--force", action="store_const", const="true", default="", help="replace a file that is there")
    return start_on_store(command, parser, arguments, "file", "force")


def import_(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway import [FILE]`."""
    parser = settings_parser("import", explanation(command), ["data"])
    parser.usage = "gateway import [OPTIONS] [FILE]"
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="the export [- standard input]")
    said = "give every room a new epoch [if the gateway went on after its export]"
    parser.add_argument("--new-epochs", dest="new_epochs", action="store_const", const="true", default="", help=said)
    parser.add_argument("--no-new-epochs", dest="new_epochs", action="store_const", const="false", help="keep them")
    return start_on_store(command, parser, arguments, "file", "new_epochs")


def new_epoch(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway new-epoch ROOM`."""
    parser = settings_parser("new-epoch", explanation(command), ["data"])
    parser.usage = "gateway new-epoch [OPTIONS] ROOM"
    parser.add_argument("room", metavar="ROOM", help="its name, with or without #")
    return start_on_store(command, parser, arguments, "room")


def start_on_store(command: Subcommand, parser: FlagParser, arguments: Sequence[str], *own: str) -> int:
    """Start a command that works on the data folder, with the words that are its own."""
    flags, config = given(parser, arguments)
    asked = {name: flags.pop(name) for name in own}
    return start(command.entry, (settled(load(flags, os.environ, config)), asked))


def service(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway service`: the flags are those that the service is to run with. The environment here is not the
    service's."""
    parser = settings_parser("service", explanation(command))
    for kind, printed in PRINTED.items():
        parser.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=f"print {printed} instead")
    flags, config = given(parser, arguments)
    kind = flags.pop("kind", "service")
    loaded = load(flags, {}, config)
    left = sorted(name for name in os.environ if name.startswith(PREFIX))
    if left:
        tell(wording.NOT_FOR_THE_SERVICE.format(settings=", ".join(left)))
    own_data = loaded.sources["data"].place == "default"
    return start(command.entry, kind, settled(loaded), flags, config, own_data)


def passwd(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway passwd`: make a hash or a token; needs no settings."""
    parser = FlagParser(
        prog="gateway passwd",
        description=explanation(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help=f"whose it is [{ROOT_NAME}]")
    parser.add_argument("--role", choices=(MEMBER, *ROLES), help=f"what NAME may do [{ROLES[0]}]")
    parser.add_argument("--token", action="store_true", help="make a bearer token for scripts instead; needs a NAME")
    wanted = parser.parse_args(arguments)
    if not wanted.name and (wanted.role or wanted.token):
        parser.error(wording.NEEDS_A_NAME)
    if wanted.token and wanted.role == MEMBER:
        parser.error(wording.MEMBER_HAS_NO_TOKEN)
    if wanted.name:
        try:
            check_name(wanted.name)
        except WrongValue as error:
            raise UsageError(str(error)) from error
    wanted.role = wanted.role or ROLES[0]
    return start(command.entry, wanted)


def check(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway check`: print the effective settings. Wrong values are what it looks for, so they give 78 in flags as
    well."""
    parser = settings_parser("check", explanation(command))
    parser.add_argument("--defaults", action="store_const", const="true", default="", help="print what each one means")
    flags, config = given(parser, arguments)
    if flags.pop("defaults"):
        print(markdown_table(), end="")
        return 0
    try:
        loaded = load(flags, os.environ, config)
        settings = settled(loaded)
        print(loaded.toml(), end="")
        if settings.tls_cert is not None:
            return start(command.entry, settings)
    except ConfigError as error:
        return fail(EXIT_CONFIG, error)
    return 0


def bench(command: Subcommand, arguments: Sequence[str]) -> int:
    """`gateway bench`: its own parser reads the arguments."""
    return start(command.entry, arguments)


def start(entry: str, *arguments: object) -> int:
    """Load the module of "module:function" and call the function. The collector rests meanwhile: what is imported
    stays, and walking over it again and again took a tenth of the start."""
    gc.disable()
    try:
        function = resolve_name(entry)
    finally:
        gc.enable()
    code: int = function(*arguments)
    return code


COMMANDS = {
    "serve": Subcommand(
        "run the gateway (the default command)",
        "gateway serve --host 0.0.0.0 --web-port 8080 --data ./chat",
        serve,
        "gateway.cli.serve:serve",
        "gateway.classic:classic",
    ),
    "echo": Subcommand(
        "the echo server of the project's origin: answers `ip:port text`",
        "gateway echo --tcp-port 9999 --selector poll",
        echo,
        "gateway.classic:echo",
    ),
    "bench": Subcommand(
        "load a running gateway and report",
        "gateway bench talk --writers 200 --json",
        bench,
        "gateway.bench:main",
    ),
    "check": Subcommand(
        "print the effective settings and where each value came from",
        "gateway check --config gateway.toml",
        check,
        "gateway.tls:check",
    ),
    "status": Subcommand(
        "one screen about a running gateway; --json for scripts",
        "gateway status --data ./chat",
        status,
        "gateway.cli.status:show",
    ),
    "service": Subcommand(
        "print the systemd unit of this installation, its sockets' or a container file",
        "gateway service --host 0.0.0.0 --web.hosts chat.example.org",
        service,
        "gateway.cli.service:show",
    ),
    "passwd": Subcommand(
        "make an admin password hash, or a token for scripts",
        "gateway passwd --role operator ana",
        passwd,
        "gateway.cli.passwd:passwd",
    ),
    "backup": Subcommand(
        "copy the store into a file, also while the gateway runs",
        "gateway backup --data ./chat /backups/chat.sqlite3",
        backup,
        "gateway.cli.backup:backup",
    ),
    "export": Subcommand(
        "write the store as JSON lines, also while the gateway runs",
        "gateway export --data ./chat | gzip > chat.jsonl.gz",
        export,
        "gateway.cli.export:export",
    ),
    "import": Subcommand(
        "fill an empty store from an export",
        "gunzip < chat.jsonl.gz | gateway import --data ./new",
        import_,
        "gateway.cli.export:import_",
    ),
    "new-epoch": Subcommand(
        "give a room a new epoch: its readers begin anew, its numbers go on",
        "gateway new-epoch --data ./chat lobby",
        new_epoch,
        "gateway.cli.backup:new_epoch",
    ),
    "login-link": Subcommand(
        "print a fresh one-time dashboard link of the running gateway",
        "gateway login-link --data ./chat",
        login_link,
        "gateway.login_link:login_link",
    ),
}
