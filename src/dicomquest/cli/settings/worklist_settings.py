"""The settings of the Modality Worklist service (PS3.4 K)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.cli.shared_options import setting


@dataclass(frozen=True)
class WorklistSettings:
    """The answers to modalities that ask for their worklist."""

    worklist: bool = setting(
        False,
        "Answer worklist queries from the entries of `dicomquest worklist`, too.",
        is_flag=True,
    )
