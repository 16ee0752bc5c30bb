"""P17: what a visibility filter costs: processor time of one large query and of small ones."""

from __future__ import annotations

from functools import lru_cache
from itertools import cycle
from time import process_time
from typing import TYPE_CHECKING

from client import identifier
from measure import Claim, Figure, alternate, median, number, spread
from servers import index_of, sample_patient_ids

from dicomquest.dataset.codec import decode
from dicomquest.dataset.fast_encoder import ResponseEncoder
from dicomquest.dataset.response_fields import Field
from dicomquest.index import Index
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    from collections.abc import Callable

    from sizes import Size

# Every instance meets each of them, so all queries have the same matches.
FILTERS = {
    "no filter": (),
    "a key of the study": ("StudyDate=20100101-",),
    "a key of the series": ("InstitutionName=St.*",),
    "a key of the instance": ("InstanceNumber=1",),
}


@lru_cache
def encoder_of(fields: tuple[Field, ...]) -> ResponseEncoder:
    """The encoder of a query's responses, made once, as by the service."""
    return ResponseEncoder(fields, EXPLICIT_VR_LITTLE_ENDIAN, ())


def ask(index: Index, keys: dict[int, str]) -> int:
    """Answer an identifier as the service does, but for the network; the number of matches."""
    data_set = decode(identifier(keys), EXPLICIT_VR_LITTLE_ENDIAN)
    query = parse_identifier(data_set, STUDY_ROOT.uid, QueryOptions())
    encoder = encoder_of(index.fields(query))
    matches = 0
    with index.search(query) as cursor:
        while rows := cursor.fetch(512):
            matches += len(encoder.encode(rows))
    return matches


def stream(index: Index, studies: int) -> Callable[[], float]:
    """A measure: microseconds of the processor for a match of a query for everything."""

    def measure() -> float:
        started = process_time()
        if ask(index, {}) != studies:
            raise AssertionError("a filter hides what it should show")
        return (process_time() - started) / studies * 1e6

    return measure


def lookup(index: Index, studies: int, queries: int) -> Callable[[], float]:
    """A measure: microseconds of the processor for a query for one patient."""
    patients = cycle(sample_patient_ids(studies))

    def measure() -> float:
        started = process_time()
        for _ in range(queries):
            if not ask(index, {0x00100020: next(patients)}):
                raise AssertionError("a filter hides what it should show")
        return (process_time() - started) / queries * 1e6

    return measure


def run(size: Size) -> Claim:
    studies = size.fallback
    claim = Claim(
        "P17",
        f"a visibility filter, {studies:,} studies that all meet it, without the network, in "
        "microseconds of the processor",
        "stated: a key of the study costs a comparison, one below it a subquery a match",
    )
    indexes = {
        name: Index(index_of(studies), create=False, visible=texts)
        for name, texts in FILTERS.items()
    }
    for title, measures in (
        ("a match of one query", {n: stream(each, studies) for n, each in indexes.items()}),
        (
            "a query for one patient",
            {n: lookup(each, studies, size.queries) for n, each in indexes.items()},
        ),
    ):
        figures = alternate(measures, max(size.runs, 1))
        base = median(figures["no filter"])
        claim.figures += [
            Figure(f"{title}, {name}", spread(each), f"{number(median(each) / base)}x")
            for name, each in figures.items()
        ]
    for index in indexes.values():
        index.close()
    return claim
