"""Hypothesis strategies for DIMSE: command sets, data sets as bytes, cuts of a stream."""

from __future__ import annotations

from hypothesis import strategies as st

from dicomquest.dimse.commands import (
    PENDING,
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    CGetRQ,
    CGetRSP,
    CMoveRQ,
    CMoveRSP,
    Command,
    CStoreRQ,
    CStoreRSP,
    NCreateRQ,
    NCreateRSP,
    NormalizedRSP,
    NSetRQ,
    NSetRSP,
    Priority,
    Request,
    RetrieveRSP,
    UnknownCommand,
)
from strategies.pdu import ae_titles, uids

NUMBERS = st.integers(0, 0xFFFF)
PRIORITIES = st.sampled_from([int(priority) for priority in Priority])
FINAL_STATUSES = st.sampled_from(
    [0x0000, 0x0122, 0xA700, 0xA900, 0xB000, 0xC001, 0xFE00]
) | NUMBERS.filter(lambda status: status & 0xFF00 != 0xFF00)
TAGS = st.lists(st.integers(0, 0xFFFFFFFF), max_size=3).map(tuple)
COMMENTS = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\"), max_size=64
).map(lambda text: text.strip(" "))
ERROR_IDS = st.none() | NUMBERS

MAXIMUM_LENGTHS = st.sampled_from([8, 9, 10, 15, 128, 4096, 16384, 0]) | st.integers(8, 100_000)
"""Maximum lengths of a peer, also those with room for one or two bytes; 0 is no limit."""


def data_sets(min_size: int = 2, max_size: int = 600) -> st.SearchStrategy[bytes]:
    """Any even number of bytes: DIMSE does not look into data sets."""
    return st.binary(min_size=min_size // 2, max_size=max_size // 2).map(lambda half: half + half)


def responses_find() -> st.SearchStrategy[CFindRSP]:
    """Final and Pending responses."""
    final = st.builds(
        CFindRSP,
        message_id_being_responded_to=NUMBERS,
        status=FINAL_STATUSES,
        affected_sop_class_uid=st.just("") | uids(),
        offending_element=TAGS,
        error_comment=COMMENTS,
        error_id=ERROR_IDS,
    )
    pending = st.builds(
        CFindRSP,
        message_id_being_responded_to=NUMBERS,
        status=st.sampled_from(sorted(PENDING)),
        affected_sop_class_uid=st.just("") | uids(),
        has_data_set=st.just(True),
    )
    return final | pending


def responses_retrieve() -> st.SearchStrategy[RetrieveRSP]:
    """Pending and final responses with counts; final ones with or without an identifier."""
    counts = {
        f"number_of_{kind}_suboperations": st.none() | NUMBERS
        for kind in ("remaining", "completed", "failed", "warning")
    }
    ends = {"message_id_being_responded_to": NUMBERS, "affected_sop_class_uid": uids(), **counts}
    kinds: list[st.SearchStrategy[RetrieveRSP]] = [
        st.builds(command, status=status, has_data_set=has_data_set, **ends)
        for command in (CGetRSP, CMoveRSP)
        for status, has_data_set in (
            (st.just(0xFF00), st.just(False)),
            (FINAL_STATUSES, st.booleans()),
        )
    ]
    return st.one_of(kinds)


def responses_normalized() -> st.SearchStrategy[NormalizedRSP]:
    """Responses to N-CREATE and N-SET, with or without a data set."""
    fields = {
        "message_id_being_responded_to": NUMBERS,
        "status": FINAL_STATUSES,
        "affected_sop_class_uid": st.just("") | uids(),
        "affected_sop_instance_uid": st.just("") | uids(),
        "attribute_identifier_list": TAGS,
        "error_comment": COMMENTS,
        "error_id": ERROR_IDS,
        "has_data_set": st.booleans(),
    }
    return st.builds(NCreateRSP, **fields) | st.builds(NSetRSP, **fields)


def requests() -> st.SearchStrategy[Request]:
    """Requests other than C-CANCEL."""
    return st.one_of(
        st.builds(CEchoRQ, message_id=NUMBERS, affected_sop_class_uid=uids()),
        st.builds(CFindRQ, message_id=NUMBERS, affected_sop_class_uid=uids(), priority=PRIORITIES),
        st.builds(CGetRQ, message_id=NUMBERS, affected_sop_class_uid=uids(), priority=PRIORITIES),
        st.builds(
            CMoveRQ,
            message_id=NUMBERS,
            affected_sop_class_uid=uids(),
            move_destination=ae_titles(),
            priority=PRIORITIES,
        ),
        st.builds(
            CStoreRQ,
            message_id=NUMBERS,
            affected_sop_class_uid=uids(),
            affected_sop_instance_uid=uids(),
            priority=PRIORITIES,
            move_originator_application_entity_title=st.just("") | ae_titles(),
            move_originator_message_id=st.none() | NUMBERS,
        ),
        st.builds(
            NCreateRQ,
            message_id=NUMBERS,
            affected_sop_class_uid=uids(),
            affected_sop_instance_uid=st.just("") | uids(),
            has_data_set=st.booleans(),
        ),
        st.builds(
            NSetRQ,
            message_id=NUMBERS,
            requested_sop_class_uid=uids(),
            requested_sop_instance_uid=uids(),
        ),
    )


def commands() -> st.SearchStrategy[Command]:
    """Every command set that we may send, those of services unknown to us too."""
    return st.one_of(
        requests(),
        responses_find(),
        responses_retrieve(),
        responses_normalized(),
        st.builds(
            CEchoRSP,
            message_id_being_responded_to=NUMBERS,
            status=FINAL_STATUSES,
            affected_sop_class_uid=st.just("") | uids(),
            error_comment=COMMENTS,
        ),
        st.builds(
            CStoreRSP,
            message_id_being_responded_to=NUMBERS,
            status=FINAL_STATUSES,
            affected_sop_class_uid=st.just("") | uids(),
            affected_sop_instance_uid=st.just("") | uids(),
            offending_element=TAGS,
            error_comment=COMMENTS,
            error_id=ERROR_IDS,
        ),
        st.builds(CCancelRQ, message_id_being_responded_to=NUMBERS),
        st.builds(
            UnknownCommand,
            command_field=st.sampled_from(
                [0x0100, 0x8100, 0x0130, 0x8130, 0x0110, 0x0150, 0x8150, 0x1234]
            ),
            message_id=st.none() | NUMBERS,
            message_id_being_responded_to=st.none() | NUMBERS,
            affected_sop_class_uid=st.just("") | uids(),
            status=st.none() | FINAL_STATUSES,
            has_data_set=st.booleans(),
        ),
    )


def cuts(most: int = 40) -> st.SearchStrategy[list[int]]:
    """Sizes of the pieces in which a stream arrives, used in turn over and over."""
    return st.lists(st.integers(1, most) | st.integers(1, 10_000), min_size=1, max_size=6)
