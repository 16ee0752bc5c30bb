"""``dicomquest serve``: answer C-FIND and C-ECHO from the index; its settings, as options and as a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from dicomquest.cli.options import FILE, PORT, SECONDS, ae_title, index_setting, options_of, setting, utc_offset


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """All that the server can be told; an option and a key of the configuration file each."""

    index: str = index_setting()
    host: str = setting("127.0.0.1", "The address to listen on; 0.0.0.0 is every IPv4 address of the machine.")
    port: int = setting(11112, "The port to listen on; 0 takes a free one.", type=PORT)
    aet: str = setting("DICOMQUEST", "The AE title of the server.", type=ae_title, metavar="TITLE")
    check_aet: bool = setting(False, "Refuse associations that call another AE title.", is_flag=True)
    retrieve_aet: str | None = setting(
        None, "The AE title that has the instances (Retrieve AE Title); the server's own if not given.",
        type=ae_title, metavar="TITLE",
    )  # fmt: skip
    workers: int = setting(1, "How many processes share the port.", type=click.IntRange(1, 256), metavar="N")
    max_associations: int = setting(
        100, "How many associations a process holds at once.", type=click.IntRange(1), metavar="N"
    )
    max_pdu: int = setting(
        65536, "The longest P-DATA-TF PDU to receive, in bytes.", type=click.IntRange(4096, 1 << 20), metavar="BYTES"
    )
    artim_timeout: float = setting(
        30.0, "How long to wait for an association request, and for the end of a connection.", type=SECONDS,
        metavar="SECONDS",
    )  # fmt: skip
    network_timeout: float = setting(
        60.0, "How long an association may be silent between two requests.", type=SECONDS, metavar="SECONDS"
    )
    tls_cert: str | None = setting(None, "Speak TLS, with this certificate (PEM).", type=FILE, metavar="FILE")
    tls_key: str | None = setting(None, "The certificate's key, if it is in another file.", type=FILE, metavar="FILE")
    tls_ca: str | None = setting(
        None, "Ask clients for a certificate signed by one of these (PEM).", type=FILE, metavar="FILE"
    )
    result_limit: int | None = setting(
        None, "End a query with A700 after so many matches.", type=click.IntRange(1), metavar="N"
    )
    unknown_matches: bool = setting(
        False, "Let an empty stored value match every key, as the letter of PS3.4 C.2.2.1.2 has it.", is_flag=True
    )
    strict: bool = setting(
        False, "Refuse requests that deviate from PS3.4 C.4.1 instead of reading them as they were meant.", is_flag=True
    )
    several_values: str = setting(
        "or", "Several values in a key that is no UID: match any of them, or refuse the request.",
        type=click.Choice(["or", "reject"]),
    )  # fmt: skip
    timezone: int = setting(
        0, "The zone of dates and times that name none, as +HHMM or -HHMM.", type=utc_offset, metavar="OFFSET",
        show_default="+0000",
    )  # fmt: skip
    log_level: str = setting(
        "info", "What to log, on standard error.",
        type=click.Choice(["error", "warning", "info", "debug"], case_sensitive=False),
    )  # fmt: skip


def read_config(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Make the file's values the defaults of the other options."""
    if value is None:
        return None
    import tomllib

    try:
        configured = tomllib.loads(Path(value).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{value} is no TOML: {error}", ctx, param) from error
    known = {field.name: field.name.replace("_", "-") for field in fields(ServeSettings)}
    defaults: dict[str, Any] = {}
    for key, setting_value in configured.items():
        name = key.replace("-", "_")
        if name not in known:
            close = get_close_matches(key, known.values(), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise click.BadParameter(f"{value}: {key!r} is no setting{hint}", ctx, param)
        if isinstance(setting_value, dict | list):
            raise click.BadParameter(f"{value}: {key!r} takes one value", ctx, param)
        defaults[name] = setting_value
    ctx.default_map = defaults
    return value


@click.command(short_help="Answer C-FIND and C-ECHO from the index.")
@click.option(
    "--config", type=FILE, is_eager=True, expose_value=False, callback=read_config, metavar="FILE",
    help="A TOML file with the options below by name, such as port = 104; the command line wins over it.",
)  # fmt: skip
@options_of(ServeSettings)
def serve(**values: Any) -> None:
    """Answer C-FIND and C-ECHO from the index, until SIGINT or SIGTERM.

    \b
    Serve the index in this folder to programs of this machine:
      dicomquest serve
    Serve the whole network, on the usual port, with two processes:
      dicomquest serve --index /srv/dicom.sqlite --host 0.0.0.0 --port 104 --workers 2
    Over TLS, for clients with a certificate of the hospital:
      dicomquest serve --port 2762 --tls-cert server.pem --tls-key server.key --tls-ca hospital.pem
    """  # noqa: D301
    from dicomquest.cli.serve_app import run

    run(ServeSettings(**values))
