"""``dicomquest find``: query a peer and print what it answers."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.formats import FORMATS
from dicomquest.cli.peer import PeerSettings
from dicomquest.cli.shared_options import PORT, options_of
from dicomquest.standard.extended import EXTENDED_OPTIONS

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
MODELS = ("study", "patient", "psonly")

OFFERS = tuple(row.option.replace("_", "-") for row in EXTENDED_OPTIONS)


@click.command(short_help="Query a peer and print what it answers.")
@click.argument("host")
@click.argument("port", type=PORT)
@click.argument("keys", metavar="[KEY[=VALUE]]...", nargs=-1)
@click.option(
    "-L",
    "--level",
    type=click.Choice(LEVELS, case_sensitive=False),
    default="STUDY",
    show_default=True,
    help="What to look for.",
)
@click.option(
    "-m",
    "--model",
    type=click.Choice(MODELS, case_sensitive=False),
    default="study",
    show_default=True,
    help="The information model: Study Root, Patient Root or Patient/Study Only.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    default="table",
    show_default=True,
    help="; ".join(f"{name}: {each.words}" for name, each in FORMATS.items()) + ".",
)
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Cancel the query after N matches."
)
@click.option(
    "--explain",
    is_flag=True,
    help="Say what the query means before it is sent, and how the peer took it.",
)
@click.option(
    "--charset",
    metavar="TERMS",
    help="The character set of keys that are not ASCII, as a defined term such as 'ISO_IR 100', several joined by "
    "backslashes; ISO_IR 192 (UTF-8) if not given.",
)
@click.option(
    "--offer",
    multiple=True,
    metavar="OPTION",
    type=click.Choice(OFFERS),
    help="Offer an option of SOP class extended negotiation, and say whether the peer accepts it: "
    f"{', '.join(OFFERS)}. Can be repeated.",
)
@click.option(
    "--as-is", is_flag=True, help="Send the keys even where the Standard does not allow them."
)
@options_of(PeerSettings)
def find(host: str, port: int, keys: tuple[str, ...], **values: Any) -> None:
    """Query the archive at HOST and PORT, and print the matches.

    KEY=VALUE restricts, KEY alone asks for the attribute; without a KEY alone, the usual attributes are asked for. A
    KEY is a keyword, a tag, a dotted path into a sequence, or a private tag with its creator. A VALUE may have the
    wild cards * and ?, be a range of dates or times, or a list of UIDs with backslashes between.

    \b
    Studies since January of patients whose name starts with CITIZEN:
      dicomquest find pacs 11112 'PatientName=CITIZEN*' StudyDate=20240101- StudyDescription
    The CT series of one study, as JSON:
      dicomquest find pacs 11112 -L SERIES StudyInstanceUID=1.2.3 Modality=CT --format json
    Patients under Patient Root, as a CSV file, from a peer that knows us as LAB:
      dicomquest find pacs 11112 -m patient -L PATIENT 'PatientID=A?-*' --aet LAB --format csv > patients.csv
    By tag, in a sequence, and a private attribute with its creator:
      dicomquest find pacs 11112 0010,0020=4711
      dicomquest find pacs 11112 -L SERIES StudyInstanceUID=1.2.3 RequestAttributesSequence.RequestedProcedureID=P1
      dicomquest find pacs 11112 '0023,xx01:AcmeCompany=x'

    \b
    What the query means, and how the peer took it, with names found by sound if the peer can:
      dicomquest find pacs 11112 PatientName=MEYER --offer fuzzy --explain

    The exit status is 0 if the peer answered, with or without a match, 1 if it refused or failed, 2 if this command
    line is wrong.
    """  # noqa: D301
    from dicomquest.cli.find_app import FindSettings, run

    peer = PeerSettings(**{name: values.pop(name) for name in PeerSettings.__slots__})
    run(FindSettings(host=host, port=port, keys=keys, peer=peer, **values))
