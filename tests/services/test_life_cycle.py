"""The flags of an association in each stage of its life."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dicomquest.services.life_cycle import LifeCycle, LifeStage


@dataclass
class _Association(LifeCycle):
    current: LifeStage

    @property
    def stage(self) -> LifeStage:
        return self.current


_FLAGS = {
    LifeStage.REQUESTED: (False, False, False, False),
    LifeStage.ESTABLISHED: (True, False, False, False),
    LifeStage.REJECTED: (False, True, False, False),
    LifeStage.RELEASED: (False, False, True, False),
    LifeStage.ABORTED: (False, False, False, True),
}
"""is_established, is_rejected, is_released and is_aborted in each stage."""


@pytest.mark.parametrize("stage", LifeStage)
def test_flags_show_the_stage(stage: LifeStage) -> None:
    association = _Association(stage)
    flags = (
        association.is_established,
        association.is_rejected,
        association.is_released,
        association.is_aborted,
    )
    assert flags == _FLAGS[stage]
