"""Merged responses in bytes, equal to those of the plain encoder."""

from __future__ import annotations

import pytest

from dicomquest.dataset.charset import choose
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.encoder import encode
from dicomquest.federation.answer_encoder import encode_merged
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.building import data_set

RESPONSES = [
    data_set(QueryRetrieveLevel="STUDY", PatientName="DOE^JOHN", StudyInstanceUID="1.2"),
    data_set(QueryRetrieveLevel="STUDY", PatientName="Müller^Jürgen", StudyInstanceUID="1.2.3"),
    data_set(ModalitiesInStudy="CT\\MR", StudyDate="", NumberOfStudyRelatedSeries="2"),
    {
        0x00081032: Element("SQ", (data_set(CodeValue="C1"),)),
        0x00280010: Element("US", (512,)),
        0x00291010: Element("UN", (b"ab",)),
    },
]


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN])
@pytest.mark.parametrize("response", RESPONSES)
def test_bytes_are_those_of_the_plain_encoder(response: DataSet, syntax: str) -> None:
    plain = encode(response, syntax, choose(response))
    assert encode_merged([response, response], syntax, ()) == [plain, plain]
