"""The places a setting may come from, strongest first.

    flag --limits.burst  >  environment GATEWAY_LIMITS__BURST  >  file key limits.burst  >  default

A value is checked wherever it is given, also where a stronger place overrides it: a mistake in a file is a
mistake even before it takes effect. All problems are reported at once, one line each.

Environment variables pass through other programs, which change them: the newline of the file that a secret was made of,
the quotes of a line that `docker --env-file` passes on as they are, an empty text where the operator gave nothing. They
are read as what was meant.
"""

import codecs
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from msgspec import structs

from gateway import wording
from gateway.config.credentials import ROOT_NAME
from gateway.config.settings import PREFIX, SETTINGS, VARIABLES, Setting, Settings, value_of
from gateway.config.values import NoHome, WrongValue
from gateway.errors import ConfigError, UsageError

CONFIG_VARIABLE = f"{PREFIX}CONFIG"
DOORS = ("tcp_port", "telnet_port", "web_port")
TLS_DOORS = ("tcp_tls_port", "telnet_tls_port")
_ORCHESTRATED = re.compile(r"GATEWAY_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP)\w*)|GATEWAY_INTERFACE")
"""Variables that Kubernetes, docker links and CGI make for a service that happens to be called gateway."""
_ORCHESTRATED_PORT = re.compile(r"GATEWAY_(\w+_)?PORT")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Source(NamedTuple):
    """Where a value came from: the place (default, file, environment, flag, classic) and what it is called there."""

    place: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.place} {self.name}".strip()


class Given(NamedTuple):
    """A value as somebody gave it, not checked yet; perhaps under a name that is no setting."""

    name: str
    value: object
    source: Source


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings, for every setting the place that decided it, and what was ignored."""

    settings: Settings
    sources: Mapping[str, Source]
    warnings: tuple[str, ...] = ()

    def toml(self) -> str:
        """A TOML file that says the same; behind each setting stands where it came from."""
        lines = []
        for name, setting in SETTINGS.items():
            lines.append(setting.line(value_of(self.settings, name)))
        width = max(map(len, lines))
        return "".join(
            f"{line:{width}}  # {source}\n" for line, source in zip(lines, self.sources.values(), strict=True)
        )


def load(flags: Mapping[str, str], environ: Mapping[str, str], config: str = "") -> Loaded:
    """Settings from `flags` (by setting name, values as text) over `environ` over the TOML file `config`.

    Without `config` the variable GATEWAY_CONFIG names the file; without both there is none.
    Raises ConfigError, or UsageError when nothing but flags is wrong.
    """
    values = {name: setting.default for name, setting in SETTINGS.items()}
    sources = dict.fromkeys(SETTINGS, Source("default"))
    problems: list[ConfigError] = []
    file = from_file(config or meant(environ.get(CONFIG_VARIABLE, "")))
    for given in (*file, *from_environment(environ), *from_flags(flags)):
        try:
            values[given.name] = checked(given)
            sources[given.name] = given.source
        except ConfigError as problem:
            problems.append(problem)
    if values["classic"]:
        for name in ("telnet_port", "web_port", *TLS_DOORS):
            values[name], sources[name] = -1, Source("classic")
    problems += contradictions(values, sources) if not problems else []
    if problems:
        kind = UsageError if all(isinstance(problem, UsageError) for problem in problems) else ConfigError
        raise kind("\n".join(map(str, problems)))
    left = sorted(variable for variable, text in environ.items() if made_by_orchestrator(variable, text))
    told = wording.ORCHESTRATOR_MADE.format(names=", ".join(left))
    return Loaded(assembled(values), sources, (told,) if left else ())


def load_again(flags: Mapping[str, str], environ: Mapping[str, str], config: str) -> Loaded:
    """As `load`, while the gateway runs. A file that can be read only once (a pipe) is a ConfigError: reading
    it would give nothing, or wait."""
    file = config or meant(environ.get(CONFIG_VARIABLE, ""))
    if file and not Path(os.path.expanduser(file)).is_file():
        raise ConfigError(wording.CANNOT_READ_AGAIN.format(file=file))
    return load(flags, environ, config)


def from_file(config: str) -> Iterator[Given]:
    """The values of a TOML file, in its order."""
    if not config:
        return
    try:
        raw = Path(os.path.expanduser(config)).read_bytes()
        if raw.startswith(_UTF16):
            raise ConfigError(wording.SETTINGS_UTF16.format(config=config))
        content = tomllib.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(wording.CANNOT_READ.format(config=config, why=error.strerror)) from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(wording.SETTINGS_NOT_UTF8.format(config=config, line=line)) from error
    except ValueError as error:
        raise ConfigError(wording.SETTINGS_NOT_TOML.format(config=config, problem=error)) from error
    source = Source("file", config)
    for key, value in content.items():
        if key not in SETTINGS and isinstance(value, dict):
            yield from (Given(f"{key}.{name}", inner, source) for name, inner in value.items())
        else:
            yield Given(key, value, source)


def from_environment(environ: Mapping[str, str]) -> Iterator[Given]:
    """The values of the variables with our prefix, whether known or not, except an orchestrator's."""
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE and not made_by_orchestrator(variable, text):
            setting = VARIABLES.get(variable)
            text = text.strip() if setting is not None and setting.form.free else meant(text)
            if text or setting is None or setting.may_be_empty:
                yield Given(setting.name if setting else variable, text, Source("environment", variable))


def meant(text: str) -> str:
    """The text of a variable without what the programs on its way have added around it."""
    words = text.strip()
    quoted = len(words) >= 2 and words[0] == words[-1] and words[0] in "'\"" and words[0] not in words[1:-1]
    return words[1:-1] if quoted else words


def made_by_orchestrator(variable: str, text: str) -> bool:
    """Whether a variable stands for a service beside us that has our name. Its port is a URL, ours a number."""
    if _ORCHESTRATED_PORT.fullmatch(variable) and text.startswith(("tcp://", "udp://")):
        return True
    return _ORCHESTRATED.fullmatch(variable) is not None


def from_flags(flags: Mapping[str, str]) -> Iterator[Given]:
    """The values of the command line."""
    for name, text in flags.items():
        yield Given(name, text, Source("flag", SETTINGS[name].flag))


def checked(given: Given) -> object:
    """The value as the setting's type. Raises ConfigError (UsageError for a flag) with what is right."""
    setting = known(given)
    try:
        return setting.read(given.value, is_text=given.source.place != "file")
    except ValueError as error:
        kind = UsageError if given.source.place == "flag" and not isinstance(error, NoHome) else ConfigError
        raise kind(f"{given.name}: {complaint(given, setting, error)}") from error


def complaint(given: Given, setting: Setting, error: ValueError) -> str:
    """What is wrong with a value, its place, and what would be right. Shows no secret."""
    if isinstance(error, WrongValue):
        return f"{error} ({given.source})"
    value = "the value" if setting.form.veil else repr(given.value)
    return wording.SETTING_IS_NOT.format(value=value, source=given.source, form=setting.form.right)


def known(given: Given) -> Setting:
    """The setting that is meant. Raises ConfigError with the nearest known name."""
    if given.name in SETTINGS:
        return SETTINGS[given.name]
    if given.source.place == "environment":
        near = nearest(given.name, (*VARIABLES, CONFIG_VARIABLE))
        raise ConfigError(wording.UNKNOWN_VARIABLE.format(name=given.name, near=near))
    if any(name.startswith(f"{given.name}.") for name in SETTINGS):
        raise ConfigError(wording.KEY_IS_A_SECTION.format(name=given.name, source=given.source))
    raise ConfigError(
        wording.UNKNOWN_KEY.format(name=given.name, source=given.source, near=nearest(given.name, SETTINGS))
    )


def nearest(word: str, names: Iterable[str]) -> str:
    """The one of `names` that looks most like `word`."""
    return difflib.get_close_matches(word, list(names), n=1, cutoff=0.0)[0]


def near(word: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `word` may be a slip of; None if there is none."""
    return next(iter(difflib.get_close_matches(word, list(names), n=1)), None)


def contradictions(values: Mapping[str, object], sources: Mapping[str, Source]) -> Iterator[ConfigError]:
    """What is wrong with values that are right one by one: a UsageError where flags alone say so."""

    def wrong(words: str, names: Iterable[str]) -> ConfigError:
        return (UsageError if all(sources[name].place == "flag" for name in names) else ConfigError)(words)

    doors = [name for name in (*DOORS, *TLS_DOORS) if values[name] != -1]
    if not doors:
        yield wrong(wording.EVERY_DOOR_OFF.format(doors=", ".join(DOORS)), DOORS)
    for index, name in enumerate(doors):
        for other in doors[:index]:
            if values[name] == values[other] != 0:
                words = wording.SAME_PORT.format(other=other, name=name, port=values[name])
                yield wrong(words, (other, name))
    certificate = values["tls_cert"] is not None
    for name in TLS_DOORS:
        if values[name] != -1 and not certificate:
            yield wrong(wording.NEEDS_A_CERTIFICATE.format(name=name), (name,))
    if values["tls_key"] is not None and not certificate:
        yield wrong(wording.KEY_WITHOUT_CERTIFICATE, ("tls_key",))
    if certificate and values["web_port"] == -1 and not set(TLS_DOORS) & set(doors) and not values["classic"]:
        yield wrong(wording.CERTIFICATE_UNUSED.format(doors=", ".join(TLS_DOORS)), ("tls_cert",))
    if cast(int, values["workers"]) > 1:
        yield from lonely(values, wrong)
    homeless = sources["data"].place == "default" and not cast(Path, values["data"]).is_absolute()
    if homeless and not (values["memory"] or values["classic"]):
        yield ConfigError(wording.NO_HOME_FOR_JOURNAL)
    accounts = cast(Collection[str], values["admin.accounts"])
    if values["admin.password_hash"] and any(name.casefold() == ROOT_NAME for name in accounts):
        yield ConfigError(wording.ROOT_TWICE.format(root=ROOT_NAME))


def lonely(values: Mapping[str, object], wrong: Callable[[str, Iterable[str]], ConfigError]) -> Iterator[ConfigError]:
    """What several workers cannot do. They do not start a Redis of their own: what people have in SQLite would seem to
    be gone, and all of the journal would be in memory without anybody having said so."""
    if values["redis"] is None:
        words = wording.WORKERS_NEED_REDIS
        yield wrong(words, ("workers",))
    for name in ("memory", "console", "classic"):
        if values[name]:
            yield wrong(wording.FOR_ONE_PROCESS.format(name=name), ("workers", name))


def assembled(values: Mapping[str, object]) -> Settings:
    """The struct of the checked values."""
    parts: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for each in structs.fields(Settings):
        if each.name not in parts:
            inside = f"{each.name}."
            section = {name.removeprefix(inside): value for name, value in values.items() if name.startswith(inside)}
            parts[each.name] = each.type(**section)
    return Settings(**parts)
