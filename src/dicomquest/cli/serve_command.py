"""``dicomquest serve``: answer queries from the index, store instances."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.peer import give_up
from dicomquest.cli.settings import PEERS, ServeSettings, read_config
from dicomquest.cli.shared_options import FILE, options_of, server_tls
from dicomquest.errors import IndexDatabaseError, LayoutError, MissingIndexError


@click.command(short_help="Answer C-FIND from the index, store what is sent (C-STORE).")
@click.option(
    "--config", type=FILE, is_eager=True, expose_value=False, callback=read_config, metavar="FILE",
    help="A TOML file with the options below by name, such as port = 104, and tables [peers.TITLE] with those that "
    "differ for a calling AE title; the command line wins over it.",
)  # fmt: skip
@options_of(ServeSettings)
def serve(**values: Any) -> None:
    """Answer queries (C-FIND, C-ECHO) from the index, until SIGINT or SIGTERM.

    With --store FOLDER it also receives instances (C-STORE): each is kept there, and is in the index when it is
    answered.

    \b
    Serve the index in this folder to programs of this machine:
      dicomquest serve
    Serve the whole network, on the usual port, with two processes:
      dicomquest serve --index /srv/dicom.sqlite --host 0.0.0.0 --port 104 --workers 2
    Receive instances too, into a folder where people can find them:
      dicomquest serve --store /srv/dicom --host 0.0.0.0
    A node of several on one PostgreSQL database, queries answered from its replica where there is one:
      dicomquest serve --index "postgresql://db1,db2/dicom?target_session_attrs=read-write" \\
        --read-index "postgresql://db1,db2/dicom?target_session_attrs=prefer-standby"
    Over TLS, for clients with a certificate of the hospital:
      dicomquest serve --port 2762 --tls-cert server.pem --tls-key server.key --tls-ca hospital.pem
    """  # noqa: D301
    run(ServeSettings(**values, peers=click.get_current_context().meta.get(PEERS, {})))


def run(settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM; raise click's Exit if that is not possible."""
    from dicomquest.cli.log_output import log_to_stderr
    from dicomquest.cli.server_assembly import make_store_folder, open_index, prepare_store
    from dicomquest.cli.server_processes import run_processes

    log_to_stderr(settings.log_level, names_process=settings.workers > 1)
    server_tls(
        settings.tls_cert, settings.tls_key, settings.tls_ca
    )  # to complain before anything is started
    try:
        make_store_folder(settings)
        with open_index(settings) as index:
            prepare_store(settings, index)
    except IndexDatabaseError as error:
        hint = (
            " (`dicomquest index PATH...` makes an index)"
            if isinstance(error, MissingIndexError)
            else ""
        )
        raise give_up(f"{error}{hint}") from error
    except LayoutError as error:
        raise click.UsageError(f"--store-layout: {error}") from error
    try:
        run_processes(settings)
    except IndexDatabaseError as error:
        raise give_up(str(error)) from error
    except OSError as error:
        raise give_up(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}"
        ) from error
