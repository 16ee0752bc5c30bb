"""``dicomquest serve``: answer queries from the index, store instances (PS3.4 B, C)."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.messages import give_up, index_failure
from dicomquest.cli.serve_settings import PEERS, ServeSettings, read_config
from dicomquest.cli.shared_options import FILE, options_of, server_tls
from dicomquest.errors import IndexDatabaseError, LayoutError


@click.command()
@click.option(
    "--config",
    type=FILE,
    is_eager=True,
    expose_value=False,
    callback=read_config,
    metavar="FILE",
    help="A TOML file with the options below by name, such as port = 104, and a table "
    "[peers.TITLE] for each calling AE title with settings of its own. The command line wins over "
    "the file.",
)
@options_of(ServeSettings)
def serve(**values: Any) -> None:
    """Answer queries (C-FIND, C-ECHO) from the index, until SIGINT or SIGTERM.

    With --store FOLDER the server also receives instances (C-STORE): it keeps each in the folder,
    and has it in the index before it answers.

    \b
    Serve the index in this folder to programs of this machine:
      dicomquest serve
    Serve the whole network, on the usual port, with two processes:
      dicomquest serve --index /srv/dicom.sqlite --host 0.0.0.0 --port 104 --workers 2
    Receive instances too, into a folder where people find them:
      dicomquest serve --store /srv/dicom --host 0.0.0.0
    One of several nodes on a PostgreSQL database, with queries on its replica:
      dicomquest serve --index "postgresql://db1,db2/dicom?target_session_attrs=read-write" \\
        --read-index "postgresql://db1,db2/dicom?target_session_attrs=prefer-standby"
    Over TLS, for clients with a certificate of the hospital:
      dicomquest serve --port 2762 --tls-cert server.pem --tls-key server.key --tls-ca hospital.pem

    The exit status is 0 after SIGINT or SIGTERM, 1 if the server cannot start or fails, 2 if the
    command line or the configuration file is wrong.
    """  # noqa: D301
    run(ServeSettings(**values, peers=click.get_current_context().meta.get(PEERS, {})))


def run(settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM; raise click's Exit if that is not possible."""
    from dicomquest.cli.log_output import log_to_stderr
    from dicomquest.cli.server_assembly import (
        make_store_folder,
        open_index,
        prepare_store,
        tell_read_only,
    )
    from dicomquest.cli.server_processes import cannot_listen, run_processes

    log_to_stderr(settings.log_level, names_process=settings.workers > 1)
    # Made again by each process; made here first so that a wrong file is told before any starts.
    server_tls(settings.tls_cert, settings.tls_key, settings.tls_ca)
    try:
        make_store_folder(settings)
        with open_index(settings) as index:
            tell_read_only(settings, index)
            prepare_store(settings, index)
    except IndexDatabaseError as error:
        raise index_failure(error) from error
    except LayoutError as error:
        raise click.UsageError(f"--store-layout: {error}") from error
    try:
        run_processes(settings)
    except IndexDatabaseError as error:
        raise index_failure(error) from error
    except OSError as error:
        raise give_up(cannot_listen(settings.host, settings.port, error)) from error
