"""``dicomquest config``: the settings that hold, and the faults of a configuration file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import click

from dicomquest.cli.config_option import CONFIG_VARIABLE, configured
from dicomquest.cli.configuration import Configuration, NamedPeer, table_header, toml_value
from dicomquest.cli.counting import number_of
from dicomquest.cli.help_page import PageGroup
from dicomquest.cli.messages import say
from dicomquest.cli.own_identity import PASSWORD_VARIABLE, TOKEN_VARIABLE
from dicomquest.cli.passwords import without_passwords
from dicomquest.cli.peer import PeerSettings
from dicomquest.cli.serve_command import check_settings, make_settings, serve
from dicomquest.cli.serve_settings import TABLE_OF, ServeSettings
from dicomquest.cli.shared_options import variable_of
from dicomquest.errors import ConfigurationError

WRONG = 2
"""The exit status for a wrong file, the same as for a wrong command line."""

WIDEST = 44
"""Columns of a setting before its source; a longer one has its source on the line above."""

_file_option = click.option(
    "--config",
    type=click.Path(),
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    metavar="FILE",
    help="The configuration; dicomquest.toml in the current folder, if it is there.",
)


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting that holds, and the place that it comes from."""

    table: str
    key: str
    value: Any
    source: str
    unset: str = ""
    reason: str = ""

    @property
    def shown(self) -> str:
        """The value as TOML, without passwords."""
        return without_passwords(toml_value(self.value))


@click.group(cls=PageGroup)
def config() -> None:
    """Show the settings that hold, or check a configuration file.

    \b
      dicomquest config show
      dicomquest config check --config /etc/dicomquest.toml
    """  # noqa: D301


@config.command(short_help="Print each setting, and where it comes from.")
@_file_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["toml", "json"]),
    default="toml",
    show_default=True,
    help="toml: a configuration file; json: a list of objects.",
)
@click.option("--reasons", is_flag=True, help="Print above each limit why it is there.")
def show(config: str | None, format_: str, *, reasons: bool) -> None:
    """Print the value of each setting of `serve`, and where it comes from.

    That is a variable of the environment, a line of the file, or the default. Passwords become ***.

    \b
      dicomquest config show
      DICOMQUEST_PORT=104 dicomquest config show --format json
    """  # noqa: D301
    settings = list(effective(config))
    click.echo(as_json(settings) if format_ == "json" else as_toml(settings, with_reasons=reasons))


@config.command(short_help="Tell all that is wrong in a file.")
@_file_option
def check(config: str | None) -> None:
    """Tell all that is wrong in a configuration file, or in the environment.

    \b
      dicomquest config check
      dicomquest config check --config /etc/dicomquest.toml

    The exit status is 0 if `serve` can use it, 2 if not.
    """  # noqa: D301
    try:
        settings, configuration = _read(config)
        check_settings(settings)
    except (ConfigurationError, click.ClickException) as error:
        faults = error.format_message() if isinstance(error, click.ClickException) else str(error)
        for fault in faults.split("\n"):
            say(without_passwords(fault))
        raise click.exceptions.Exit(WRONG) from error
    for variable in unknown_variables():
        say(f"Warning: the environment has {variable}, which is no setting.")
    say(_summary(configuration))


def effective(path: str | None) -> Iterator[Effective]:
    """Yield each setting that holds for ``serve``, then those of the named peers."""
    with serve.make_context("serve", _arguments(path)) as ctx:
        configuration = configured(ctx)
        settings = make_settings(ctx, ctx.params)
        for each in fields(ServeSettings):
            if each.name in TABLE_OF:
                yield Effective(
                    TABLE_OF[each.name],
                    each.name.replace("_", "-"),
                    getattr(settings, each.name),
                    _source(ctx, each.name, configuration),
                    each.metadata.get("unset", "none"),
                    each.metadata.get("reason", ""),
                )
    for kind, tables in (
        ("peers", configuration.peers),
        ("destinations", configuration.destinations),
        ("upstreams", configuration.upstreams),
    ):
        for title, peer in tables.items():
            yield from _of_peer(f"{kind}.{title}", peer, configuration)


def _of_peer(table: str, peer: NamedPeer, configuration: Configuration) -> Iterator[Effective]:
    for name, value in {**peer.reach, **peer.rules}.items():
        source = _place(configuration, configuration.lines.get((table, name)))
        yield Effective(table, name.replace("_", "-"), value, source)


def _source(ctx: click.Context, name: str, configuration: Configuration) -> str:
    match ctx.get_parameter_source(name):
        case click.core.ParameterSource.ENVIRONMENT:
            return variable_of(name)
        case click.core.ParameterSource.DEFAULT_MAP:
            return _place(configuration, configuration.line_of(name))
        case _ if name in configuration.settings and name not in ctx.params:
            return _place(configuration, configuration.line_of(name))
        case _:
            return "default"


def _place(configuration: Configuration, line: int | None) -> str:
    return f"{configuration.path} line {line}" if line else configuration.path


def as_toml(settings: list[Effective], *, with_reasons: bool) -> str:
    """Write the settings as a configuration file, with the sources as comments."""
    lines: list[str] = []
    table = None
    # [limits] may come between settings of [serve], and a table of TOML comes once.
    for each in sorted(settings, key=lambda each: _order(settings, each.table)):
        if each.table != table:
            table = each.table
            lines.extend(["", f"[{_quoted(table)}]"] if lines else [f"[{_quoted(table)}]"])
        if each.reason and with_reasons:
            lines.append(f"# {each.reason}")
        line = (
            f"{each.key} = {each.shown}"
            if each.value is not None
            else f"# {each.key}: {each.unset}"
        )
        if each.value is None:
            lines.append(line)
        elif len(line) > WIDEST:
            lines.extend([f"# {each.source}:", line])
        else:
            lines.append(f"{line:{WIDEST}}  # {each.source}")
    return "\n".join(lines)


def _order(settings: list[Effective], table: str) -> int:
    return [each.table for each in settings].index(table)


def _quoted(table: str) -> str:
    kind, _, title = table.partition(".")
    return table_header(kind, title) if title else kind


def as_json(settings: list[Effective]) -> str:
    """Write the settings as a list of objects."""
    return json.dumps(
        [
            {
                "table": each.table,
                "key": each.key,
                "value": json.loads(each.shown),
                **({"unset": each.unset} if each.value is None else {}),
                "source": each.source,
                "reason": each.reason,
            }
            for each in settings
        ],
        indent=2,
        ensure_ascii=False,
    )


def unknown_variables() -> list[str]:
    """Return the variables of the environment that look like settings, and are none."""
    of_clients = {variable_of(each.name) for each in fields(PeerSettings)}
    known = {variable_of(name) for name in TABLE_OF} | of_clients
    known |= {CONFIG_VARIABLE, PASSWORD_VARIABLE, TOKEN_VARIABLE}
    return sorted(
        name for name in os.environ if name.startswith("DICOMQUEST_") and name not in known
    )


def _read(path: str | None) -> tuple[ServeSettings, Configuration]:
    with serve.make_context("serve", _arguments(path)) as ctx:
        return make_settings(ctx, ctx.params), configured(ctx)


def _arguments(path: str | None) -> list[str]:
    return [] if path is None else ["--config", path]


def _summary(configuration: Configuration) -> str:
    if not configuration.path:
        return "There is no configuration file; the environment is in order."
    counts = [number_of(len(configuration.settings), "setting")]
    if configuration.peers:
        counts.append(number_of(len(configuration.peers), "named peer"))
    return f"{configuration.path} is in order: {', '.join(counts)}."
