"""``dicomquest attribute``: attributes on demand, which queries find by an index of their own."""

from __future__ import annotations

import click

from dicomquest.cli.shared_options import index_option

_LEVELS = click.Choice(["PATIENT", "STUDY", "SERIES", "IMAGE"], case_sensitive=False)
_creator_option = click.option(
    "--creator", default="", metavar="TEXT", help="The private creator of a private tag."
)


@click.group(short_help="Index further attributes while the service goes on.")
def attribute() -> None:
    """Index attributes that are asked for often.

    Any attribute of a header can be matched. The usual ones have an index; for the others each entity that may match is
    looked at. `attribute add` gives such an attribute an index. Servers and ingest go on meanwhile.

    \b
      dicomquest attribute add ReconstructionDiameter
      dicomquest attribute add 0029,1008 --creator "SIEMENS CSA HEADER"
      dicomquest attribute list
      dicomquest attribute drop ReconstructionDiameter
    """  # noqa: D301


@attribute.command(short_help="Give an attribute an index.")
@click.argument("name", metavar="KEYWORD|TAG")
@click.option("--level", type=_LEVELS, help="The level that the attribute is expected to be of.")
@_creator_option
@click.option(
    "--vr",
    default="",
    metavar="VR",
    help="The VR of a private attribute that the dictionary lacks.",
)
@index_option
def add(name: str, level: str | None, creator: str, vr: str, location: str) -> None:
    """Give an attribute an index: new instances at once, the older ones in small batches.

    Queries use it when all are done. If the command is interrupted, the same command goes on from there.

    \b
      dicomquest attribute add SliceThickness
      dicomquest attribute add 0018,0050 --level IMAGE
    """  # noqa: D301
    from dicomquest.cli.attribute_app import run_add

    run_add(location, name, level, creator, vr)


@attribute.command(short_help="Take an attribute's index away.")
@click.argument("name", metavar="KEYWORD|TAG")
@_creator_option
@index_option
def drop(name: str, creator: str, location: str) -> None:
    """Take the index of an attribute away; it is matched as before that.

    \b
      dicomquest attribute drop SliceThickness
    """  # noqa: D301
    from dicomquest.cli.attribute_app import run_drop

    run_drop(location, name, creator)


@attribute.command(name="list", short_help="Show the attributes that were added.")
@index_option
def list_attributes(location: str) -> None:
    """Show the attributes that were added: keyword, tag, level, VR, state, how much is done, rows in the index.

    \b
      dicomquest attribute list
    """  # noqa: D301
    from dicomquest.cli.attribute_app import run_list

    run_list(location)
