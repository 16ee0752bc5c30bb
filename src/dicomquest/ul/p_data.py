"""The rules for P-DATA that is sent and received on an association (PS3.8 9.3.5, Annex E)."""

from __future__ import annotations

from collections.abc import Container, Iterable

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import COMMAND, LAST, PDV_OVERHEAD, PresentationDataValue
from dicomquest.pdu.reasons import AbortReason


def check_sent(
    pdvs: Iterable[PresentationDataValue], accepted: Container[int], maximum_length: int
) -> None:
    """Raise LocalProtocolError for PDVs that may not be sent in one P-DATA-TF.

    ``maximum_length`` is the peer's; 0 is no limit.
    """
    length = 0
    for context_id, control, fragment in pdvs:
        if context_id not in accepted:
            raise LocalProtocolError(f"presentation context {context_id} was not accepted")
        if control & ~(COMMAND | LAST):
            raise LocalProtocolError(
                f"message control header {control:02X}H: only bits 0 and 1 have a meaning"
            )
        if not fragment or len(fragment) % 2:
            raise LocalProtocolError(
                f"a fragment of {len(fragment)} bytes: expected an even number, not 0"
            )
        length += PDV_OVERHEAD + len(fragment)
    if not length:
        raise LocalProtocolError("P-DATA without a PDV: expected one or more")
    if 0 < maximum_length < length:
        raise LocalProtocolError(
            f"P-DATA of {length} bytes: the peer receives at most {maximum_length}"
        )


def check_received(pdvs: Iterable[PresentationDataValue], accepted: Container[int]) -> None:
    """Raise RemoteProtocolError for a PDV on a presentation context that was not accepted."""
    for pdv in pdvs:
        if pdv.context_id not in accepted:
            raise RemoteProtocolError(
                f"P-DATA-TF on presentation context {pdv.context_id}, which was not accepted",
                reason=AbortReason.INVALID_VALUE,
            )
