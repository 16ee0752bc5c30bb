"""The time-outs of an association, which scripts may set while it runs (PS3.8 9.1.5)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from dicomquest.ul.timers import Timeouts


class HasTimeouts(ABC):
    """The time-outs under pynetdicom's names, on either side of an association.

    A new one holds for timers that start from then on.
    """

    @property
    @abstractmethod
    def _timeouts(self) -> Timeouts:
        """The time-outs that hold now."""

    @abstractmethod
    def _use_timeouts(self, timeouts: Timeouts) -> None:
        """Use other time-outs from now on."""

    def _set_timeouts(self, **seconds: float | None) -> None:
        self._use_timeouts(replace(self._timeouts, **seconds))

    @property
    def connection_timeout(self) -> float | None:
        """Seconds to wait for the connection, None for ever."""
        return self._timeouts.connect

    @connection_timeout.setter
    def connection_timeout(self, seconds: float | None) -> None:
        self._set_timeouts(connect=seconds)

    @property
    def acse_timeout(self) -> float | None:
        """Seconds to wait for the answer to an association or release request, None for ever."""
        return self._timeouts.release

    @acse_timeout.setter
    def acse_timeout(self, seconds: float | None) -> None:
        self._set_timeouts(associate_request=seconds, association=seconds, release=seconds)

    @property
    def dimse_timeout(self) -> float | None:
        """Seconds to wait for a response, None for ever."""
        return self._timeouts.dimse

    @dimse_timeout.setter
    def dimse_timeout(self, seconds: float | None) -> None:
        self._set_timeouts(first_response=seconds, dimse=seconds)

    @property
    def retrieve_timeout(self) -> float | None:
        """Seconds between two signs of life of a C-GET or C-MOVE, None for ever."""
        return self._timeouts.retrieve

    @retrieve_timeout.setter
    def retrieve_timeout(self, seconds: float | None) -> None:
        self._set_timeouts(retrieve=seconds)

    @property
    def network_timeout(self) -> float | None:
        """Seconds without any sign of the peer, None for ever."""
        return self._timeouts.idle

    @network_timeout.setter
    def network_timeout(self, seconds: float | None) -> None:
        self._set_timeouts(idle=seconds, pdu=seconds, write=seconds)
