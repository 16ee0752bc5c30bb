"""The life of an association, as one value with four flags that show it (PS3.8 7.1 to 7.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum


class LifeStage(Enum):
    """The stages of an association's life; the last three are final."""

    REQUESTED = "requested"
    ESTABLISHED = "established"
    REJECTED = "rejected"
    RELEASED = "released"
    ABORTED = "aborted"


class LifeCycle(ABC):
    """The flags that pynetdicom's users know, on either side of an association.

    They are views of one value, so no two of them are ever true together.
    """

    @property
    @abstractmethod
    def stage(self) -> LifeStage:
        """The stage that the association has come to."""

    @property
    def is_established(self) -> bool:
        """Tell whether requests may be sent, and are answered."""
        return self.stage is LifeStage.ESTABLISHED

    @property
    def is_rejected(self) -> bool:
        """Tell whether the acceptor answered with A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
        return self.stage is LifeStage.REJECTED

    @property
    def is_released(self) -> bool:
        """Tell whether the association ended by a release (PS3.8 7.2)."""
        return self.stage is LifeStage.RELEASED

    @property
    def is_aborted(self) -> bool:
        """Tell whether the association ended in any other way, or never had a connection."""
        return self.stage is LifeStage.ABORTED
