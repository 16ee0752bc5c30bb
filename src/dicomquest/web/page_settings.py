"""The settings of the page: its zone, its addresses, its sign-in, its names (PS3.5 6.2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, TypeAlias

from dicomquest.web.box.links import Links
from dicomquest.web.box.sealing import Sealer
from dicomquest.web.sessions import Sessions

FirstName: TypeAlias = Literal["ideographic", "alphabetic"]


@dataclass(frozen=True, slots=True)
class PageSettings:
    """The settings of the page.

    - ``zone`` is the time zone in which people say today; None for that of the machine.
    - ``sealer`` seals what names a person in an address; without one addresses are plain.
    - ``sessions`` keeps who signed in; without it there is no form to sign in.
    - ``viewer_key`` signs the tokens of viewers: that of all processes of a server, None for one
      of the process alone.
    - ``names`` is the group of a name that comes first, ``han`` the language of Han characters in
      text that does not tell it.
    - ``reads_per_second`` is how often a session may have a question read while it is typed.
    """

    zone: tzinfo | None = None
    sealer: Sealer | None = None
    sessions: Sessions | None = None
    names: FirstName = "ideographic"
    han: str = "ja"
    reads_per_second: float = 5.0
    viewer_key: bytes | None = None

    def now(self) -> datetime:
        """Return the time of now in the zone of the people."""
        return datetime.now(self.zone).astimezone(self.zone)

    @property
    def links(self) -> Links:
        """The addresses of questions."""
        return Links(self.sealer)
