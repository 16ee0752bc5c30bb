"""``dicomquest send``: send DICOM files to a peer (C-STORE)."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.peer import INTERRUPTED, PeerSettings, give_up
from dicomquest.cli.shared_options import PORT, options_of


@click.command(short_help="Send DICOM files to a peer (C-STORE).")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True))
@click.argument("host")
@click.argument("port", type=PORT)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
    help="How many associations send at the same time.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, and no word of what went well.")
@options_of(PeerSettings)
def send(
    paths: tuple[str, ...], host: str, port: int, jobs: int, *, quiet: bool, **values: Any
) -> None:
    """Send all DICOM files at or below each PATH to the peer at HOST and PORT (C-STORE).

    Files are sent as they are, in their own transfer syntax; an uncompressed one changes its form where the peer takes
    no other. What is no DICOM file is skipped, what the peer refuses is named, and at the end stands a summary.

    \b
      dicomquest send /data/ct pacs 11112
      dicomquest send --jobs 4 --aec ARCHIVE --aet LAB /data/ct /data/mr pacs 104

    The exit status is 0 if the peer has taken all, 1 if it has not, 2 if this command line is wrong, 130 after Ctrl-C.
    """  # noqa: D301
    try:
        from dicomquest.cli.send_app import run

        run(paths, host, port, PeerSettings(**values), jobs=jobs, quiet=quiet)
    except KeyboardInterrupt:
        raise give_up("interrupted; what was answered is stored at the peer", INTERRUPTED) from None
