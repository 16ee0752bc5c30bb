"""``dicomquest serve``: answer queries from the index, store instances."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.settings import PEERS, ServeSettings, read_config
from dicomquest.cli.shared_options import FILE, options_of


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
    from dicomquest.cli.serve_app import run

    run(ServeSettings(**values, peers=click.get_current_context().meta.get(PEERS, {})))
