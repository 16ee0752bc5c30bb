"""The settings of the Modality Worklist service (PS3.4 K)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.settings.caller_settings import network
from dicomquest.cli.shared_options import network_address, setting
from dicomquest.standard.step_attributes import StepStatus

HIDDEN_STEPS = {each.value.lower().replace(" ", "-"): each for each in StepStatus}
"""The states of steps by their words on the command line."""


@dataclass(frozen=True)
class WorklistSettings:
    """The answers to modalities that ask for their worklist, and the orders that come by HL7."""

    worklist: bool = setting(
        False,
        "Answer worklist queries from the entries of `dicomquest worklist`, too.",
        is_flag=True,
    )
    hl7: str | None = setting(
        None,
        "Take orders by HL7 (MLLP: ORM^O01, OMI^O23) on this port, of this machine alone unless "
        "there is a HOST; and answer worklist queries.",
        type=network_address,
        metavar="[HOST:]PORT",
    )
    hl7_from: tuple[str, ...] = setting(
        (),
        "Take orders from this address or network alone; several times for several.",
        multiple=True,
        type=network,
        metavar="ADDRESS",
        needs=("hl7",),
    )
    hl7_tls: bool = setting(
        False,
        "Take orders by HL7 with TLS alone, under the certificate of --tls-cert; with --tls-ca "
        "senders must show theirs.",
        is_flag=True,
        needs=("hl7",),
    )
    hl7_mapping: str | None = setting(
        None,
        "The places of attributes in HL7 messages, as `dicomquest worklist mapping` prints them.",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        needs=("hl7",),
    )

    hide_steps: tuple[str, ...] = setting(
        (),
        "Hide entries from worklist queries once their step is in this state, as modalities report "
        "it by MPPS; several times for several.",
        multiple=True,
        type=click.Choice(tuple(HIDDEN_STEPS)),
        needs=("worklist", "hl7"),
    )

    @property
    def has_worklist(self) -> bool:
        """Tell whether modalities get answers: orders that come are for them."""
        return self.worklist or self.hl7 is not None

    @property
    def hidden_steps(self) -> tuple[str, ...]:
        """The Scheduled Procedure Step Statuses of entries that no query finds."""
        return tuple(HIDDEN_STEPS[each].value for each in self.hide_steps)
