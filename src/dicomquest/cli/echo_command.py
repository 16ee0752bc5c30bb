"""``dicomquest echo``: ask a peer whether it is there and talks to us (C-ECHO)."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.peer import PeerSettings
from dicomquest.cli.shared_options import PORT, options_of


@click.command(short_help="Ask a peer whether it is there (C-ECHO).")
@click.argument("host")
@click.argument("port", type=PORT)
@options_of(PeerSettings)
def echo(host: str, port: int, **values: Any) -> None:
    """Ask the peer at HOST and PORT whether it is there and talks to us (C-ECHO).

    \b
      dicomquest echo pacs 11112
      dicomquest echo pacs 104 --aec ARCHIVE --aet LAB
      dicomquest echo pacs 2762 --tls-ca hospital.pem --tls-cert lab.pem --tls-key lab.key

    The exit status is 0 if the peer answered, 1 if it refused or failed, 2 if this command line is wrong.
    """  # noqa: D301
    from dicomquest.cli.echo_app import run

    run(host, port, PeerSettings(**values))
