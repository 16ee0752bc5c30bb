"""P10: our SCU beside pynetdicom's, both asking our server: matches a second of processor time.

The processor time is that of the client's process with all of its threads; the server is another
process. Ours gives Datasets, of which nobody reads a value or one is read, and objects and lines of
the DICOM JSON Model. Ours is timed with its association, pynetdicom's without.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from client import STUDY_ROOT_FIND, USUAL_KEYS
from measure import Claim, Figure, alternate, median, number, spread
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pynetdicom import AE
from servers import ours

from dicomquest import find

if TYPE_CHECKING:
    from servers import Served
    from sizes import Size

KEYS = {keyword_for_tag(tag): "" for tag in USUAL_KEYS}


def by_ours(served: Served, form: str, *, reads: bool = False) -> float:
    started = time.process_time()
    matches = find("127.0.0.1", served.port, level="STUDY", called_aet=served.aet, as_=form, **KEYS)
    count = sum(1 for match in matches if not reads or match.StudyInstanceUID)
    if count != served.studies:
        raise AssertionError(f"{count} of {served.studies}")
    return count / (time.process_time() - started)


def by_pynetdicom(served: Served) -> float:
    ae = AE("BENCH")
    ae.add_requested_context(STUDY_ROOT_FIND)
    ae.dimse_timeout = ae.network_timeout = None
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    for keyword in KEYS:
        setattr(query, keyword, None)
    association = ae.associate("127.0.0.1", served.port, ae_title=served.aet)
    started = time.process_time()
    count = sum(
        identifier is not None for _, identifier in association.send_c_find(query, STUDY_ROOT_FIND)
    )
    elapsed = time.process_time() - started
    association.release()
    if count != served.studies:
        raise AssertionError(f"{count} of {served.studies}")
    return count / elapsed


def run(size: Size) -> Claim:
    claim = Claim(
        "P10",
        f"SCU, {size.stream:,} matches (pynetdicom {size.pynetdicom:,}),"
        " in matches a second of processor time",
        "at least 30x pynetdicom's SCU as Datasets, 80x as JSON rows",
    )  # fmt: skip
    with ours(size.stream) as large, ours(size.pynetdicom) as small:
        figures = alternate(
            {
                "as Datasets": lambda: by_ours(large, "dataset"),
                "as Datasets, one value read": lambda: by_ours(large, "dataset", reads=True),
                "as JSON objects": lambda: by_ours(large, "json"),
                "as JSON rows": lambda: by_ours(large, "json-text"),
                "pynetdicom": lambda: by_pynetdicom(small),
            },
            size.runs,
        )
    base = median(figures["pynetdicom"])
    ratios = {name: median(mine) / base for name, mine in figures.items()}
    claim.is_met = ratios["as Datasets"] >= 30 and ratios["as JSON rows"] >= 80
    claim.figures = [
        Figure(name, spread(mine), "" if name == "pynetdicom" else f"{number(ratios[name])}x")
        for name, mine in figures.items()
    ]
    return claim
