"""An SCP made with pynetdicom, ``PORT STUDIES``: its handler yields ready data sets."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from typing import TYPE_CHECKING

from client import STUDY_ROOT_FIND, USUAL_KEYS, VERIFICATION
from population import instances
from pynetdicom import AE, evt

from dicomquest.dataset.elements import to_pydicom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import Dataset


def main() -> None:
    port, studies = int(sys.argv[1]), int(sys.argv[2])
    by_patient: dict[str, list[Dataset]] = {}
    seen = set()
    for data_set in instances(studies):
        uid = data_set[0x0020000D].values[0]
        if uid in seen:
            continue
        seen.add(uid)
        response = to_pydicom({tag: data_set[tag] for tag in sorted(USUAL_KEYS) if tag in data_set})
        response.SpecificCharacterSet = "ISO_IR 192"
        response.QueryRetrieveLevel = "STUDY"
        response.ModalitiesInStudy = data_set[0x00080060].values[0]
        response.NumberOfStudyRelatedSeries = "1"
        response.NumberOfStudyRelatedInstances = "1"
        by_patient.setdefault(data_set[0x00100020].values[0], []).append(response)

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier.get("PatientID")
        for patient_id in [wanted] if wanted else by_patient:
            for response in by_patient.get(patient_id, ()):
                if event.is_cancelled:
                    yield 0xFE00, None
                    return
                yield 0xFF00, response

    ae = AE("PYNETDICOM")
    ae.maximum_associations = 100
    ae.add_supported_context(STUDY_ROOT_FIND)
    ae.add_supported_context(VERIFICATION)
    ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_FIND, find)])


if __name__ == "__main__":
    main()
