"""Options that mean nothing without another one: the check of a command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

import click

from dicomquest.cli.config_option import configured
from dicomquest.cli.shared_options import SettingOption

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

_AS_TABLES = {"upstream": "upstreams"}
"""The options that tables of the configuration file stand for, and the kind of these."""


def check_needs(ctx: click.Context) -> None:
    """Raise UsageError for an option that does nothing, since none of those it is for is there.

    The environment and the file may hold more than one command line needs: several share them.
    """
    options = {option.name: option for option in ctx.command.params}
    for name in given_names(ctx, options):
        option = options[name]
        needs = option.needs if isinstance(option, SettingOption) else ()
        if not needs or any(ctx.params.get(each) or _has_table(ctx, each) for each in needs):
            continue
        others = " or ".join(_words(options[each], each) for each in needs if each in options)
        raise click.UsageError(
            f"{shown_name(option)} does nothing without {others}: add it, or leave "
            f"{shown_name(option)} out",
            ctx,
        )


def given_names(ctx: click.Context, names: Iterable[str | None]) -> Iterator[str]:
    """Yield those of the names of parameters that the command line itself gives."""
    for name in names:
        if name and ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            yield name


def given_option(ctx: click.Context, names: Container[str]) -> str:
    """Return the first option of these names that the command line gives; empty without one."""
    options = {option.name or "": option for option in ctx.command.params}
    for name in given_names(ctx, options):
        if name in names:
            return shown_name(options[name])
    return ""


def model_of_options(habits: Mapping[str, str | Literal[False]], named: str) -> str:
    """Return the model of -m, or of a short option; UsageError if two name different ones.

    ``habits`` has the model of each short option that is given, and False for the others.
    """
    given = {option: model for option, model in habits.items() if model}
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other")
    for option, model in given.items():
        if model != named and given_option(click.get_current_context(), ("model",)):
            raise click.UsageError(
                f"{option} is the same as -m {model}, and -m {named} another model: leave one out"
            )
        return model
    return named


def shown_name(option: click.Parameter) -> str:
    """Return the form of an option that people type: -o, else the long one."""
    return next((each for each in option.opts if len(each) == 2), max(option.opts, key=len))


def _has_table(ctx: click.Context, name: str) -> bool:
    return bool(name in _AS_TABLES and getattr(configured(ctx), _AS_TABLES[name]))


def _words(option: click.Parameter, name: str) -> str:
    if name in _AS_TABLES:
        return f"{shown_name(option)} (or a table [{_AS_TABLES[name]}.NAME] in the file)"
    return shown_name(option)
