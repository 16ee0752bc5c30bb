"""The settings of ``dicomquest serve``: options of the command line, and names in a TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from dicomquest.cli.shared_options import (
    FILE,
    LOG_LEVEL,
    PORT,
    SECONDS,
    ae_title,
    index_setting,
    setting,
)
from dicomquest.ul.timers import Timeouts

TIMEOUTS = Timeouts()
LAYOUT = (
    "{PatientID}/{StudyDate}_{StudyInstanceUID}/{Modality}_{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
)


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The settings of the server; each is an option, and a key of the configuration file."""

    index: str = index_setting()
    read_index: str | None = setting(
        None,
        "Answer queries from this replica of the index, except on associations that have stored "
        "instances.",
        metavar="URL",
    )
    store: str | None = setting(
        None,
        "Keep instances sent by C-STORE in this folder, and index them.",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
    )
    store_layout: str = setting(
        LAYOUT,
        "The path of an instance in that folder, made of keywords of its attributes.",
        metavar="TEMPLATE",
    )
    duplicates: str = setting(
        "replace",
        "For an instance that comes again: let the new one replace the old, or keep the old one.",
        type=click.Choice(["replace", "keep"]),
    )
    host: str = setting(
        "127.0.0.1",
        "Listen on this address; 0.0.0.0 is every IPv4 address of the machine.",
        metavar="ADDRESS",
    )
    port: int = setting(11112, "Listen on this port; 0 takes a free one.", type=PORT, metavar="N")
    aet: str = setting("DICOMQUEST", "The AE title of the server.", type=ae_title, metavar="TITLE")
    check_aet: bool = setting(
        False, "Refuse associations that call another AE title.", is_flag=True
    )
    retrieve_aet: str | None = setting(
        None,
        "The AE title that peers retrieve instances from (Retrieve AE Title); the server's own by "
        "default.",
        type=ae_title,
        metavar="TITLE",
    )
    workers: int = setting(
        1, "Serve with N processes on the one port.", type=click.IntRange(1, 256), metavar="N"
    )
    max_associations: int = setting(
        100,
        "Hold at most N associations in a process; reject one more.",
        type=click.IntRange(1),
        metavar="N",
    )
    max_pdu: int = setting(
        65536,
        "The longest P-DATA-TF PDU to receive.",
        type=click.IntRange(4096, 1 << 20),
        metavar="BYTES",
    )
    max_associations_per_peer: int | None = setting(
        None,
        "Hold at most N associations of one address in a process; four fifths of "
        "--max-associations by default.",
        type=click.IntRange(1),
        metavar="N",
    )
    request_timeout: float | None = setting(
        TIMEOUTS.associate_request,
        "Wait at most this long for the TLS handshake and the association request.",
        type=SECONDS,
        metavar="SECONDS",
    )
    artim_timeout: float | None = setting(
        TIMEOUTS.artim,
        "Wait at most this long for the peer to close a connection that has ended (ARTIM).",
        type=SECONDS,
        metavar="SECONDS",
    )
    idle_timeout: float | None = setting(
        TIMEOUTS.idle,
        "End an association that is without a request for this long.",
        type=SECONDS,
        metavar="SECONDS",
    )
    pdu_timeout: float | None = setting(
        TIMEOUTS.pdu,
        "End an association whose PDU takes this long to arrive.",
        type=SECONDS,
        metavar="SECONDS",
    )
    write_timeout: float | None = setting(
        TIMEOUTS.write,
        "End an association whose peer reads nothing for this long.",
        type=SECONDS,
        metavar="SECONDS",
    )
    tls_cert: str | None = setting(
        None, "Speak TLS, with the certificate in this file (PEM).", type=FILE, metavar="FILE"
    )
    tls_key: str | None = setting(
        None,
        "The key of --tls-cert, if it is in a file of its own (PEM).",
        type=FILE,
        metavar="FILE",
    )
    tls_ca: str | None = setting(
        None,
        "Demand certificates of clients, signed by an authority in this file (PEM).",
        type=FILE,
        metavar="FILE",
    )
    result_limit: int | None = setting(
        None, "End a query with A700 after N matches.", type=click.IntRange(1), metavar="N"
    )
    limit_is_success: bool = setting(
        False, "End such a query with Success instead of A700.", is_flag=True
    )
    unknown_matches: bool = setting(
        False,
        "Let an empty stored value match every key, to the letter of PS3.4 C.2.2.1.2.",
        is_flag=True,
    )
    strict: bool = setting(
        False,
        "Refuse requests that deviate from PS3.4 C.4.1 instead of reading what they mean.",
        is_flag=True,
    )
    several_values: str = setting(
        "or",
        "For several values in a key that is no UID: match any of them, or refuse the request.",
        type=click.Choice(["or", "reject"]),
    )
    default_charset: str | None = setting(
        None,
        "The character set of requests that name none and have 8-bit bytes, such as 'ISO_IR 100'.",
        metavar="TERM",
    )
    log_level: str = setting(
        "info", "Log messages of this level and above on standard error.", type=LOG_LEVEL
    )
    peers: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, metadata={"is_option": False}
    )


PEER_SETTINGS = (
    "strict",
    "unknown_matches",
    "several_values",
    "result_limit",
    "limit_is_success",
    "default_charset",
)
"""The settings that a table [peers.TITLE] may change for a calling AE title."""

PEERS = "dicomquest.cli.serve_settings.peers"
"""The key of click's context under which the [peers.TITLE] tables reach the command."""


def read_config(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Make the values of a file the defaults of the options; keep its [peers.TITLE] tables."""
    if value is None:
        return None
    import tomllib

    try:
        configured = tomllib.loads(Path(value).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{value} is not TOML: {error}", ctx, param) from error
    peers = configured.pop("peers", {})
    if not isinstance(peers, dict) or not all(isinstance(table, dict) for table in peers.values()):
        raise click.BadParameter(
            f"{value}: 'peers' has to be tables, one for each AE title: [peers.TITLE]", ctx, param
        )
    names = [each.name for each in fields(ServeSettings) if each.name != "peers"]
    ctx.default_map = _settings(ctx, configured, names, value)
    ctx.meta[PEERS] = {
        ae_title(title): _settings(ctx, table, PEER_SETTINGS, f"{value}: [peers.{title}]")
        for title, table in peers.items()
    }
    return value


def _settings(
    ctx: click.Context, table: dict[str, Any], names: Sequence[str], where: str
) -> dict[str, Any]:
    """Return the settings of a table, checked by the options of the same names."""
    parameters = {parameter.name: parameter for parameter in ctx.command.params}
    settings = {}
    for key, given in table.items():
        name = key.replace("-", "_")
        if name not in names:
            close = get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0].replace('_', '-')!r}?" if close else ""
            raise click.UsageError(f"{where}: {key!r} is not a setting here{hint}", ctx)
        flag = isinstance(getattr(parameters[name], "default", None), bool)
        if isinstance(given, dict | list) or isinstance(given, bool) != flag:
            raise click.UsageError(
                f"{where}: {key} = {given!r}: write {'true or false' if flag else 'one value'}",
                ctx,
            )
        try:
            settings[name] = parameters[name].type_cast_value(ctx, given)
        except click.BadParameter as error:
            raise click.UsageError(f"{where}: {key} = {given!r}: {error.message}", ctx) from error
    return settings
