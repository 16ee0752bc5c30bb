"""Patients whose studies disagree on who they are: most likely two persons with one ID (C.6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.tables.dialects import execute

if TYPE_CHECKING:
    from dicomquest.index.database.pool import Database

# The search forms: another spelling of a name, or a missing value, is no other person.
_COMPARED = (
    "patient_name_alphabetic",
    "patient_name_ideographic",
    "patient_name_phonetic",
    "patient_birth_date_sort",
    "patient_sex",
)
_DISAGREEING = f"""
    SELECT DISTINCT main.id AS patient
    FROM patient AS variant JOIN patient AS main ON main.id = variant.variant_of
    WHERE variant.variant_of IS NOT NULL
        AND ({" OR ".join(f"variant.{name} <> main.{name}" for name in _COMPARED)})"""


class Person(NamedTuple):
    """One of the persons that studies of a patient name; ``studies`` is the number of these."""

    name: str
    birth_date: str
    sex: str
    studies: int


class Disagreement(NamedTuple):
    """A patient whose studies disagree on name, birth date or sex."""

    patient_id: str
    issuer: str
    persons: tuple[Person, ...]


def disagreements(database: Database) -> list[Disagreement]:
    """Return the patients whose studies disagree, each with the persons that they name."""
    found = []
    with database.connect() as connection:
        patients = [patient for (patient,) in execute(connection, f"{_DISAGREEING} ORDER BY 1")]
        for patient in patients:
            ((patient_id, issuer),) = execute(
                connection,
                "SELECT patient_id, issuer_of_patient_id FROM patient WHERE id = ?",
                (patient,),
            )
            persons = execute(
                connection,
                "SELECT patient_name, patient_birth_date, patient_sex, "
                "sum(number_of_patient_related_studies) FROM patient WHERE variant_of = ? "
                "GROUP BY patient_name, patient_birth_date, patient_sex ORDER BY min(id)",
                (patient,),
            )
            named = tuple(
                Person(name or "", birth_date or "", sex or "", int(studies))
                for name, birth_date, sex, studies in persons
            )
            found.append(Disagreement(patient_id or "", issuer or "", named))
    return found
