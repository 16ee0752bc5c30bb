"""The command line of ``dicomquest find``, read (PS3.4 C.4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomquest.cli.asking.asking_settings import AskingSettings
    from dicomquest.cli.configuration import NamedPeer
    from dicomquest.cli.find_target import TargetSettings
    from dicomquest.cli.output.output_settings import OutputSettings
    from dicomquest.cli.peer import PeerSettings


@dataclass(frozen=True, slots=True)
class FindSettings:
    """The command line of ``dicomquest find``."""

    host: str
    port: int
    keys: tuple[str, ...]
    peer: PeerSettings
    output: OutputSettings
    asking: AskingSettings
    target: TargetSettings
    level: str
    model: str
    charset: str | None
    as_is: bool
    offer: tuple[str, ...]
    several: tuple[NamedPeer, ...] = ()
