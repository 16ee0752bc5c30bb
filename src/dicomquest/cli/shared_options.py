"""Options that several commands share, and the way from a field of settings to an option."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    import ssl

Command = TypeVar("Command", bound=Callable[..., Any])
Settings = TypeVar("Settings")

DEFAULT_INDEX = "dicomquest.sqlite"
INDEX_VARIABLE = "DICOMQUEST_INDEX"
INDEX_WORDS = "The index: the path of a SQLite file, or a database URL (postgresql://...)."


def setting(default: Any, words: str, **parameters: Any) -> Any:
    """Declare a field of a settings class; ``parameters`` are those of ``click.option``.

    Besides: ``by_peer`` lets a table [peers.TITLE] change the setting for a calling AE title.
    ``is_option=False`` leaves the setting to the file, and ``parse`` reads its value there.
    ``unset`` says what None means. ``reason`` and ``beyond`` are for limits. ``needs`` names the
    settings of which one at least has to be there, or the option means nothing.
    """
    return dataclasses.field(default=default, metadata={"help": words, **parameters})


of_web = partial(setting, needs=("http",))
of_hl7 = partial(setting, needs=("hl7",))
of_users = partial(setting, needs=("users_file", "jwt_key", "user_hook"))

OWN_METADATA = {"beyond", "by_peer", "is_option", "parse", "reason", "short", "unset"}
"""The keys of a setting that are no parameters of its option."""


class FiniteRange(click.FloatRange):
    """A range of numbers that nan and inf are none of: no timer takes them."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a number."""
        number: float = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class SettingOption(click.Option):
    """The option of a setting; a message about a wrong variable names the variable.

    ``topic`` is the class of settings that has the field, by which the help page groups options.
    ``needs`` are the names of the options that this one means nothing without.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        topic: str = "",
        needs: Sequence[str] = (),
        **parameters: Any,
    ) -> None:
        super().__init__(names, **parameters)
        self.topic = topic
        self.needs = tuple(needs)

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Read the variable, unless Kubernetes has made it for a service of the same name."""
        value = super().resolve_envvar_value(ctx)
        return None if value is not None and value.startswith("tcp://") else value

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Name the source of a wrong value."""
        source = ctx and self.name and ctx.get_parameter_source(self.name)
        if source is click.core.ParameterSource.ENVIRONMENT:
            return f"the variable {self.envvar}"
        return super().get_error_hint(ctx)


def option_of(field: dataclasses.Field[Any]) -> click.Option:
    """Make the option of a field: ``tls_cert`` is --tls-cert, and DICOMQUEST_TLS_CERT."""
    names, parameters = _declaration(field)
    return SettingOption(names, **parameters)


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"DICOMQUEST_{name.upper()}"


def options_of(
    settings: type, *, leave_out: Sequence[str] = (), have_variables: bool = True
) -> Callable[[Command], Command]:
    """Make an option of each field of a settings class."""

    def decorate(command: Command) -> Command:
        for field in reversed(dataclasses.fields(settings)):
            if field.metadata.get("is_option", True) and field.name not in leave_out:
                names, parameters = _declaration(field)
                if not have_variables:
                    del parameters["envvar"]
                topic = _topic(settings, field.name)
                command = click.option(*names, cls=SettingOption, topic=topic, **parameters)(
                    command
                )
        return command

    return decorate


def settings_from(settings: type[Settings], values: dict[str, Any]) -> Settings:
    """Take the values of a settings class out of those of a command line."""
    names = [each.name for each in dataclasses.fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: values.pop(name) for name in names})


def _topic(settings: type, name: str) -> str:
    """Return the name of the class that declares a field."""
    return next(each.__name__ for each in settings.__mro__ if name in inspect.get_annotations(each))


def _declaration(field: dataclasses.Field[Any]) -> tuple[list[str], dict[str, Any]]:
    parameters = {
        "default": field.default,
        "show_default": field.default not in {None, False, ()},
        "envvar": variable_of(field.name),
        **{key: value for key, value in field.metadata.items() if key not in OWN_METADATA},
    }
    return [
        *field.metadata.get("short", ()), f"--{field.name.replace('_', '-')}", field.name
    ], parameters  # fmt: skip


def index_setting() -> Any:
    """Declare the field ``index``."""
    return setting(
        DEFAULT_INDEX, INDEX_WORDS, envvar=INDEX_VARIABLE, show_envvar=True, metavar="URL"
    )


LEVEL = click.Choice([level.name for level in Level], case_sensitive=False)
LEVELS = "|".join(LEVEL.choices)
"""Shown in help texts, where click would write the names in small letters."""
LOG_LEVEL = click.Choice(["error", "warning", "info", "debug"], case_sensitive=False)
PORT = click.IntRange(0, 65535)
SECONDS = FiniteRange(min=0, min_open=True)
FILE = click.Path(exists=True, dir_okay=False)
USERS_FILE = click.Path(dir_okay=False)
"""Not there before its first user is added."""
AE_TITLE_LENGTH = 16
"""Bytes of the AE title fields of A-ASSOCIATE (PS3.8 9.3.2)."""


def ae_title(value: str) -> str:
    """Read an AE title: 1 to 16 ASCII characters, no backslash (PS3.5 6.2)."""
    title = value.strip()
    if (
        not 1 <= len(title) <= AE_TITLE_LENGTH
        or "\\" in title
        or not (title.isascii() and title.isprintable())
    ):
        raise click.BadParameter(
            f"{value!r} is no AE title; write 1 to 16 ASCII characters without backslash"
        )
    return title


def network_address(value: str | int) -> str:
    """Read [HOST:]PORT, and return HOST:PORT; the host is this machine's own address by default."""
    host, _, port = str(value).strip().rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(
            f"{value!r} is no [HOST:]PORT; write a port such as 9464, or 0.0.0.0:9464 for any host"
        )
    return f"{host or '127.0.0.1'}:{int(port)}"


def host_and_port(address: str) -> tuple[str, int]:
    """Return the parts of HOST:PORT; an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Tell whether an address or a name is that of this machine alone."""
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def utc_offset(value: str | int) -> int:
    """Return the minutes of an offset from UTC, +HHMM or -HHMM (PS3.3 C.12.1.1.8)."""
    if isinstance(value, int):  # click calls a type again for a value that it has converted
        return value
    match = re.fullmatch(r"([+-])(\d\d)([0-5]\d)", value)
    minutes = int(match[2]) * 60 + int(match[3]) if match else 0
    if match is None or minutes > (14 * 60 if match[1] == "+" else 12 * 60):
        raise click.BadParameter(
            f"{value!r} is no offset from UTC; write +HHMM or -HHMM, from -1200 to +1400"
        )
    return minutes if match[1] == "+" else -minutes


index_option = click.option(
    "--index",
    "location",
    default=DEFAULT_INDEX,
    show_default=True,
    envvar=INDEX_VARIABLE,
    show_envvar=True,
    metavar="URL",
    help=INDEX_WORDS,
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Read with N processes; one per core by default.",
)
timezone_option = click.option(
    "--timezone",
    type=utc_offset,
    metavar="OFFSET",
    help="The zone of dates and times without one, as +HHMM or -HHMM. A new index keeps it; "
    "+0000 by default.",
)
partitions_option = click.option(
    "--partitions",
    # As many as ``index.tables.partitioned`` allows.
    type=click.IntRange(2, 256),
    metavar="N",
    help="Cut the tables of a new index in PostgreSQL into N partitions by patient.",
)


def server_tls(cert: str | None, key: str | None, ca: str | None) -> ssl.SSLContext | None:
    """Make the TLS context of a server; with ``ca``, clients must show a certificate of it."""
    if cert is None:
        if key is not None or ca is not None:
            raise click.UsageError(
                "--tls-key and --tls-ca need the server's own certificate: add --tls-cert FILE"
            )
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, cert, key, ca)
    if ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(
    *, tls: bool, cert: str | None, key: str | None, ca: str | None
) -> ssl.SSLContext | None:
    """Make the TLS context of a client that trusts ``ca``, or the system; None without TLS."""
    if key is not None and cert is None:
        raise click.UsageError("--tls-key needs the certificate of that key: add --tls-cert FILE")
    if not tls and cert is None and ca is None:
        return None
    import ssl

    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, cert, key, ca)
    return context


def _load(context: ssl.SSLContext, cert: str | None, key: str | None, ca: str | None) -> None:
    try:
        if cert is not None:
            context.load_cert_chain(cert, key)
        if ca is not None:
            context.load_verify_locations(ca)
    except OSError as error:  # ssl.SSLError is one
        raise click.UsageError(
            f"TLS: cannot use {', '.join(filter(None, (cert, key, ca)))}: {error}; "
            "expected PEM files, and the key of the certificate"
        ) from error
