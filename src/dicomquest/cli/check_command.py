"""``dicomquest check``: whether the index is right."""

from __future__ import annotations

import click

from dicomquest.cli.shared_options import index_option


@click.command(short_help="Check that the index is right, and repair it.")
@index_option
@click.option("--repair", is_flag=True, help="Write anew what is wrong.")
@click.option(
    "--files", is_flag=True, help="Check, too, that each file that was read is there and unchanged."
)
def check(location: str, *, repair: bool, files: bool) -> None:
    """Compare all that the index computes with what it is computed of: counts, search forms, modalities in study.

    The exit status is 1 if something is wrong and was not repaired. Files that are gone or have changed are only
    reported: `dicomquest index --prune` brings the index into step with them.

    \b
      dicomquest check
      dicomquest check --index /srv/dicom.sqlite --files
      dicomquest check --repair
    """  # noqa: D301
    from dicomquest.cli.check_app import run

    run(location, repair=repair, files=files)
