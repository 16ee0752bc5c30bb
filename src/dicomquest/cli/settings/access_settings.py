"""The settings that say who may ask, and for what (PS3.8 9.3.4, PS3.7 D.3.3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from dicomquest.cli.shared_options import FILE, PORT, USERS_FILE, setting

SERVICES = (
    "verification",
    "find",
    "store",
    "retrieve",
    "worklist",
    "objects",
    "steps",
    "ups",
    "orders",
)
MODELS = ("patient", "study", "psonly", "repository")
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")


@dataclass(frozen=True)
class AccessSettings:
    """The conditions of an association, and the rights on it; all of ``()`` is everything."""

    TABLE: ClassVar[str] = "access"

    check_aet: bool = setting(
        False, "Refuse associations that call another AE title.", is_flag=True
    )
    known_only: bool = setting(
        False,
        "Refuse calling AE titles without a table [peers.TITLE] in the configuration file.",
        is_flag=True,
    )
    users_file: str | None = setting(
        None,
        "Demand a user name and its passcode; `dicomquest users` keeps them in this file.",
        type=USERS_FILE,
        metavar="FILE",
    )
    jwt_key: str | None = setting(
        None,
        "Demand a JSON Web Token; this file has the public key (PEM) or the shared secret.",
        type=FILE,
        metavar="FILE",
    )
    jwt_audience: str | None = setting(
        None,
        "The audience that a token has to name (aud).",
        metavar="NAME",
        needs=("jwt_key",),
    )
    jwt_issuer: str | None = setting(
        None,
        "The issuer that a token has to name (iss).",
        metavar="NAME",
        needs=("jwt_key",),
    )
    user_hook: str | None = setting(
        None,
        "Demand a user identity that this Python function believes.",
        metavar="MODULE:FUNCTION",
    )
    user_optional: bool = setting(
        False,
        "Serve also those who give no user identity; one that is given has to be right.",
        is_flag=True,
        by_peer=True,
        needs=("users_file", "jwt_key", "user_hook"),
    )
    services: tuple[str, ...] = setting(
        (),
        "Offer this service alone; several times for several.",
        multiple=True,
        type=click.Choice(SERVICES),
        by_peer=True,
    )
    models: tuple[str, ...] = setting(
        (),
        "Allow this information model alone; several times for several.",
        multiple=True,
        type=click.Choice(MODELS),
        by_peer=True,
    )
    levels: tuple[str, ...] = setting(
        (),
        "Allow queries of this level alone; several times for several.",
        multiple=True,
        type=click.Choice(LEVELS, case_sensitive=False),
        by_peer=True,
    )
    visible: tuple[str, ...] = setting(
        (),
        "Show only what matches this key; several times for several keys, all of which must match.",
        multiple=True,
        metavar="KEY=VALUE",
        by_peer=True,
    )
    destinations: tuple[str, ...] = setting(
        (),
        "Send instances of a C-MOVE to this destination alone; several times for several.",
        multiple=True,
        metavar="TITLE",
        by_peer=True,
        hidden=True,
    )
    caller_port: int | None = setting(
        None,
        "Send a C-MOVE to the caller itself at its address and this port, if it names its own AE "
        "title and that has no table [destinations.TITLE].",
        type=PORT,
        metavar="N",
        by_peer=True,
        hidden=True,
    )
    assume_roles: bool = setting(
        False,
        "Send instances of a C-GET also to peers that propose storage without role selection.",
        is_flag=True,
        by_peer=True,
        hidden=True,
    )
