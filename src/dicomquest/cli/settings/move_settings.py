"""The options of ``dicomquest move`` beside those of ``get`` (PS3.4 C.4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.cli.shared_options import ae_title, setting


@dataclass(frozen=True, slots=True)
class MoveSettings:
    """The destination of a C-MOVE; each field is an option."""

    to: str | None = setting(
        None,
        "The AE title to which the peer sends; it must know title, host and port.",
        type=ae_title,
        metavar="TITLE",
        envvar=None,
    )
    storage_scp: str | None = setting(
        None,
        "Receive here, by our own Storage SCP, under the title of --to, else --aet; needs "
        "-o FOLDER. It listens on all addresses unless HOST is named.",
        metavar="[HOST:]PORT",
        envvar=None,
    )
