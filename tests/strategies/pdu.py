"""Hypothesis strategies for PDUs: every PDU, item and sub-item that we may send."""

from __future__ import annotations

from operator import attrgetter

from hypothesis import strategies as st

from dicomquest.pdu.items import PresentationContextAC, PresentationContextRQ
from dicomquest.pdu.pdus import (
    PDU,
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
    PDataTF,
    PresentationDataValue,
)
from dicomquest.pdu.reasons import ABORT_WORDS, REJECT_WORDS
from dicomquest.pdu.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
)

WELL_KNOWN_UIDS = (
    "1.2.840.10008.1.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.5.1.4.1.2.1.1",
    "1.2.840.10008.5.1.4.1.2.2.1",
)
ASCII = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\")


def uids() -> st.SearchStrategy[str]:
    """Registered and invented UIDs, from one component to 64 characters."""
    free = st.lists(st.integers(0, 10**12), min_size=1, max_size=40).map(
        lambda numbers: ".".join(map(str, numbers))[:64].rstrip(".")
    )
    return st.sampled_from(WELL_KNOWN_UIDS) | free


def ae_titles() -> st.SearchStrategy[str]:
    """AE titles without outer spaces."""
    inner = st.text(ASCII | st.just(" "), min_size=1, max_size=16).map(lambda text: text.strip(" "))
    return inner.filter(bool)


def contexts_rq() -> st.SearchStrategy[tuple[PresentationContextRQ, ...]]:
    """Proposed contexts with distinct odd IDs, in any order."""
    ids = st.lists(
        st.integers(0, 127).map(lambda n: 2 * n + 1), min_size=1, max_size=5, unique=True
    )
    syntaxes = st.lists(uids(), min_size=1, max_size=3).map(tuple)
    return ids.flatmap(
        lambda numbers: st.tuples(
            *(st.builds(PresentationContextRQ, st.just(n), uids(), syntaxes) for n in numbers)
        )
    )


def contexts_ac() -> st.SearchStrategy[tuple[PresentationContextAC, ...]]:
    """Results for any contexts."""
    ids = st.lists(st.integers(0, 127).map(lambda n: 2 * n + 1), max_size=5, unique=True)
    return ids.flatmap(
        lambda numbers: st.tuples(
            *(
                st.builds(PresentationContextAC, st.just(n), st.integers(0, 4), uids())
                for n in numbers
            )
        )
    )


ROLES = st.builds(RoleSelection, uids(), st.booleans(), st.booleans())
EXTENDED = st.builds(ExtendedNegotiation, uids(), st.binary(max_size=8))
COMMON_EXTENDED = st.builds(
    CommonExtendedNegotiation, uids(), uids(), st.lists(uids(), max_size=3).map(tuple)
)
WINDOWS = st.builds(AsyncOperationsWindow, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
MAXIMUM_LENGTHS = st.just(0) | st.integers(8, 0xFFFFFFFF)
VERSION_NAMES = ae_titles()
IDENTITIES = st.one_of(
    st.builds(
        UserIdentityRQ,
        st.sampled_from((1, 3, 4, 5)),
        st.binary(max_size=40),
        st.just(b""),
        st.booleans(),
    ),
    st.builds(
        UserIdentityRQ, st.just(2), st.binary(max_size=40), st.binary(max_size=20), st.booleans()
    ),
)


def unique_by_sop_class(items: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """A few items, one a SOP class."""
    few = st.lists(items, max_size=3, unique_by=attrgetter("sop_class_uid"))
    return few.map(tuple)


USER_INFORMATION_RQ = st.builds(
    UserInformation,
    MAXIMUM_LENGTHS,
    uids(),
    st.none() | VERSION_NAMES,
    st.none() | WINDOWS,
    unique_by_sop_class(ROLES),
    unique_by_sop_class(EXTENDED),
    unique_by_sop_class(COMMON_EXTENDED),
    st.none() | IDENTITIES,
    st.none(),
)
USER_INFORMATION_AC = st.builds(
    UserInformation,
    MAXIMUM_LENGTHS,
    uids(),
    st.none() | VERSION_NAMES,
    st.none() | WINDOWS,
    unique_by_sop_class(ROLES),
    unique_by_sop_class(EXTENDED),
    st.just(()),
    st.none(),
    st.none() | st.builds(UserIdentityAC, st.binary(max_size=40)),
)
ASSOCIATE_RQ = st.builds(AAssociateRQ, ae_titles(), ae_titles(), contexts_rq(), USER_INFORMATION_RQ)
ASSOCIATE_AC = st.builds(
    AAssociateAC, contexts_ac(), USER_INFORMATION_AC, st.binary(min_size=64, max_size=64)
)
ASSOCIATE_RJ = st.sampled_from(sorted(REJECT_WORDS)).map(lambda numbers: AAssociateRJ(*numbers))
ABORT = st.just(AAbort(0, 0)) | st.sampled_from(sorted(ABORT_WORDS)).map(
    lambda reason: AAbort(2, reason)
)
PDVS = st.builds(
    PresentationDataValue,
    st.integers(0, 127).map(lambda n: 2 * n + 1),
    st.integers(0, 3),
    st.binary(max_size=300),
)
P_DATA = st.lists(PDVS, min_size=1, max_size=4).map(lambda pdvs: PDataTF(tuple(pdvs)))


def pdus() -> st.SearchStrategy[PDU]:
    """Any PDU that may be sent."""
    return st.one_of(
        ASSOCIATE_RQ,
        ASSOCIATE_AC,
        ASSOCIATE_RJ,
        P_DATA,
        st.just(AReleaseRQ()),
        st.just(AReleaseRP()),
        ABORT,
    )
