"""The option --config of every command: the values of the file become the defaults of options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomquest.errors import ConfigurationError

if TYPE_CHECKING:
    from dicomquest.cli.configuration import Configuration

DEFAULT_FILE = "dicomquest.toml"
CONFIG_VARIABLE = "DICOMQUEST_CONFIG"
CONFIGURATION = "dicomquest.cli.configuration"
"""The key of click's context under which the configuration reaches a command."""


class ConfigurationFailure(click.ClickException):
    """A file that cannot be used: a message without the usage of the command."""

    exit_code = click.UsageError.exit_code


def add_config_option(command: click.Command) -> None:
    """Give a command, or each command of a group, the option --config; once."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            add_config_option(each)
    elif all(parameter.name != "config" for parameter in command.params):
        command.params.append(config_option())


def config_option() -> click.Option:
    """Make the option; it is read before the others, whose defaults it changes."""
    return click.Option(
        ["--config"],
        type=click.Path(exists=True, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_read_into_context,
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        metavar="FILE",
        help=f"The configuration (TOML); {DEFAULT_FILE} in the current folder, if it is there.",
    )


def configuration_file() -> str | None:
    """Return the file that holds without the option --config; None if there is none."""
    named = os.environ.get(CONFIG_VARIABLE)
    return named or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else None)


def configured(ctx: click.Context) -> Configuration:
    """Return the configuration of a command; an empty one without a file."""
    from dicomquest.cli.configuration import Configuration

    found = ctx.find_root().meta.get(CONFIGURATION)
    return found if isinstance(found, Configuration) else Configuration("")


def _read_into_context(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    """Make the values of the file the defaults of the options; the environment wins over them."""
    path = value or configuration_file()
    if path is None or ctx.resilient_parsing:
        return
    from dicomquest.cli.configuration import read_configuration

    try:
        configuration = read_configuration(path)
    except ConfigurationError as error:
        raise ConfigurationFailure(str(error)) from error
    ctx.meta[CONFIGURATION] = configuration
    ctx.default_map = _defaults(ctx.command, configuration)


def _defaults(command: click.Command, configuration: Configuration) -> dict[str, object]:
    if command.name in {"serve", "web"}:
        return dict(configuration.settings)
    # Other commands share the index, our own AE title and the users with the server.
    shared = {"index": "location", "aet": "aet", "users_file": "users_file"}
    taken = {parameter.name for parameter in command.params if parameter.envvar is not None}
    return {
        parameter: configuration.settings[name]
        for name, parameter in shared.items()
        if name in configuration.settings and parameter in taken
    }
