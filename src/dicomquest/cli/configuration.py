"""The file ``dicomquest.toml``: its tables, read and checked; docs/reference/configuration.md."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

import click

from dicomquest.cli.passwords import without_passwords
from dicomquest.cli.serve_settings import SERVE_TABLE, TABLE_OF, ServeSettings
from dicomquest.cli.settings.caller_settings import CallerSettings
from dicomquest.cli.settings.destination_settings import DestinationSettings
from dicomquest.cli.settings.federation_settings import UpstreamSettings
from dicomquest.cli.settings.reach_settings import ReachSettings
from dicomquest.cli.shared_options import ae_title, option_of
from dicomquest.errors import ConfigurationError

SETTINGS = {each.name: each for each in fields(ServeSettings) if each.name in TABLE_OF}
REACH = {each.name: each for each in fields(ReachSettings)}
RULES = {name: each for name, each in SETTINGS.items() if each.metadata.get("by_peer")}
"""The settings that may differ for a calling AE title."""
CALLER = {each.name: each for each in fields(CallerSettings)}

SENDING = {each.name: each for each in fields(DestinationSettings)}

HOLDING = {each.name: each for each in fields(UpstreamSettings)}

TITLED = {
    "peers": {**RULES, **CALLER, **REACH},
    "destinations": {**SENDING, **REACH},
    "upstreams": {**HOLDING, **REACH},
}
"""The tables that have a table for each AE title, and the keys that may stand there."""

NUMBERS = (click.types.IntParamType, click.types.FloatParamType)
HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
KEY = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([\w-]+))\s*=""")

Fields = Mapping[str, Field[Any]]


@dataclass(frozen=True, slots=True)
class NamedPeer:
    """A table [peers.TITLE]: how to reach the peer, and what differs when it calls."""

    title: str
    reach: Mapping[str, Any]
    rules: Mapping[str, Any]

    @property
    def ae_title(self) -> str:
        """The AE title that the peer calls with, and is called by."""
        title: str = self.reach.get("aet") or self.title
        return title

    @property
    def place(self) -> str:
        """The host and the port in words, as far as they are known."""
        host, port = self.reach.get("host", ""), self.reach.get("port")
        return host if port is None else f"{host} port {port}"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The values of a file; all of them are checked.

    ``settings`` are those of ``ServeSettings`` by name, ``lines`` the numbers of the lines of the
    file by table and key.
    """

    path: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    peers: Mapping[str, NamedPeer] = field(default_factory=dict)
    destinations: Mapping[str, NamedPeer] = field(default_factory=dict)
    upstreams: Mapping[str, NamedPeer] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def rules(self) -> dict[str, Mapping[str, Any]]:
        """The rules for a calling AE title, by that title.

        A table that only says how to reach a peer is no rule, and makes no title known.
        """
        return {
            peer.ae_title: peer.rules
            for peer in self.peers.values()
            if peer.rules or not peer.reach
        }

    def line_of(self, name: str) -> int | None:
        """Return the number of the line that sets a setting of the server."""
        for table in (TABLE_OF[name], SERVE_TABLE, ""):
            if (table, name) in self.lines:
                return self.lines[table, name]
        return None


def read_configuration(path: str) -> Configuration:
    """Read a file; ConfigurationError tells all that is wrong in it."""
    try:
        return check_text(path, Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path} is not TOML: {error}"]) from error


def check_text(path: str, text: str) -> Configuration:
    """Read the text of a file; ConfigurationError tells all that is wrong in it."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path} is not TOML: {error}"]) from error
    reading = _Reading(path, lines_of(text))
    configuration = reading.read(tables)
    if reading.faults:
        raise ConfigurationError([words for _, words in sorted(reading.faults)])
    return configuration


def table_header(kind: str, title: str) -> str:
    """Return the name of a table for one AE title, quoted if TOML wants that."""
    is_bare = re.fullmatch(r"[A-Za-z0-9_-]+", title)
    return f"{kind}.{title if is_bare else toml_value(title)}"


def toml_value(value: object) -> str:
    """Write a text, number, truth value or list as TOML, which is as in JSON but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def lines_of(text: str) -> dict[tuple[str, str], int]:
    """Find the line of each table (with the key '') and of each key in it.

    The reader of TOML tells no lines. This one knows the usual forms; a key that it misses only
    has no number in a message.
    """
    lines: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.fullmatch(line):
            table = ".".join(part.strip(" \"'") for part in header[1].split("."))
            lines.setdefault((table, ""), number)
        elif key := KEY.match(line):
            lines.setdefault((table, _name(key[1] or key[2] or key[3])), number)
    return lines


class _Reading:
    """The reading of one file, which collects its faults."""

    def __init__(self, path: str, lines: Mapping[tuple[str, str], int]) -> None:
        self._path = path
        self._lines = lines
        self.faults: list[tuple[int, str]] = []

    def read(self, tables: dict[str, Any]) -> Configuration:
        """Read all tables."""
        titled = {name: self._titled(name, tables.pop(name, {})) for name in TITLED}
        settings: dict[str, Any] = {}
        own = dict.fromkeys((SERVE_TABLE, *TABLE_OF.values()))
        # A file without tables is an older form of [serve].
        for table in own:
            given = tables.pop(table, {})
            allowed = {
                name: each
                for name, each in SETTINGS.items()
                if table in {SERVE_TABLE, TABLE_OF[name]}
            }
            self._add(settings, table, given, allowed)
        known = (*SETTINGS, *own, *TITLED)
        for key in [key for key in tables if _name(key) not in SETTINGS]:
            self._fault("", key, f"{key!r} is not a setting here{_near(key, known)}")
            del tables[key]
        self._add(settings, "", tables, SETTINGS)
        return Configuration(self._path, settings, **titled, lines=self._lines)

    def _add(self, settings: dict[str, Any], table: str, given: object, allowed: Fields) -> None:
        if not isinstance(given, dict):
            self._fault("", table, f"{table!r} has to be a table: [{table}]")
            return
        for name, value in self._values(table, given, allowed):
            if name in settings:
                self._fault(table, name, f"{_key(name)!r} stands in the file twice")
            settings[name] = value

    def _titled(self, name: str, given: object) -> dict[str, NamedPeer]:
        if not isinstance(given, dict) or not all(
            isinstance(each, dict) for each in given.values()
        ):
            self._fault(
                "", name, f"{name!r} has to be tables, one for each AE title: [{name}.TITLE]"
            )
            return {}
        peers: dict[str, NamedPeer] = {}
        for title, table in given.items():
            values = dict(self._values(f"{name}.{title}", table, TITLED[name]))
            peer = NamedPeer(
                title,
                {key: value for key, value in values.items() if key in REACH},
                {key: value for key, value in values.items() if key not in REACH},
            )
            try:
                ae_title(peer.ae_title)
            except click.BadParameter as error:
                self._fault(f"{name}.{title}", "", error.message)
            # Several archives may have one title, such as the ANY-SCP that they shipped with.
            if name != "upstreams" and any(
                peer.ae_title == other.ae_title for other in peers.values()
            ):
                self._fault(
                    f"{name}.{title}", "", f"another table has the AE title {peer.ae_title}"
                )
            peers[title] = peer
        return peers

    def _values(
        self, table: str, given: dict[str, Any], allowed: Fields
    ) -> Iterator[tuple[str, Any]]:
        """Yield the values of a table that are right, by name."""
        for key, value in given.items():
            name = _name(key)
            if name not in allowed:
                self._fault(table, key, f"{key!r} is not a setting here{_near(key, allowed)}")
                continue
            try:
                yield name, value_of(allowed[name], value)
            except click.BadParameter as error:
                shown = without_passwords(f"{value!r}")
                self._fault(table, key, f"{key} = {shown}: {error.message}")

    def _fault(self, table: str, key: str, words: str) -> None:
        line = self._lines.get((table, _name(key))) or self._lines.get((table or key, ""), 0)
        place = f"{self._path} line {line}" if line else self._path
        self.faults.append((line, f"{place}: [{table}] {words}" if table else f"{place}: {words}"))


def value_of(setting: Field[Any], given: object) -> Any:
    """Check a value of the file by the option of its setting; click's BadParameter says why."""
    if parse := setting.metadata.get("parse"):
        return parse(given)
    option = option_of(setting)
    if option.multiple:
        if not isinstance(given, list):
            raise click.BadParameter('write a list, as ["A", "B"]')
        if not all(isinstance(each, str | int) for each in given):
            raise click.BadParameter('write a list of single values, as ["A", "B"]')
    elif not isinstance(given, str | int | float) or isinstance(given, bool) != option.is_flag:
        raise click.BadParameter(f"write {'true or false' if option.is_flag else 'one value'}")
    elif isinstance(given, float) and not isfinite(given):
        raise click.BadParameter("write a number")
    if not (option.is_flag or isinstance(option.type, NUMBERS)):
        # A number is a text, too, such as that of a port in metrics = 9100.
        given = [str(each) for each in given] if isinstance(given, list) else str(given)
    return option.type_cast_value(click.Context(click.Command("config")), given)


def _name(key: str) -> str:
    return key.replace("-", "_")


def _key(name: str) -> str:
    return name.replace("_", "-")


def _near(key: str, allowed: Iterable[str]) -> str:
    close = get_close_matches(_name(key), list(allowed), n=1)
    return f"; did you mean {_key(close[0])!r}?" if close else ""
