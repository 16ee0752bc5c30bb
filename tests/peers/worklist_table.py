"""Worklist entries and queries for two worklists, with the clause of PS3.4 that decides.

``is_right`` of a query says in plain Python which entries it finds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from dicomquest.dataset.elements import DataSet
from fixtures.building import data_set

STATIONS = ("CT1", "CT2", "MR1", "US1", "XA1")
NAMES = (
    "DOE^JOHN",
    "Doe^Jane",
    "MÜLLER^JÜRGEN",
    "O'BRIEN^EAMON",
    "SMITH^MARY^^DR",
    "SMITHSON^MARK",
    "VAN DER BERG^P",
)
PHYSICIANS = ("READER^RITA", "Heller^Hans", "")
TIMES = ("0730", "0900", "103000", "1200", "1345", "1800")
COUNT = 200


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry: the values that queries ask for; an empty one is missing."""

    number: int
    name: str
    patient: str
    stations: tuple[str, ...]
    modality: str
    date: str
    time: str
    physician: str
    sex: str
    location: str

    @property
    def accession(self) -> str:
        """The accession number; some entries have none."""
        return "" if self.number % 20 == 0 else f"A{self.number:04}"

    @property
    def code(self) -> str:
        """The code of the requested procedure."""
        return f"P{self.number % 4}"


def _planned(number: int) -> Planned:
    station = STATIONS[number % 5]
    return Planned(
        number,
        NAMES[number % 7],
        f"PID{number % 50:03}",
        (station, "CT9") if number % 25 == 0 else (station,),
        station[:2],
        f"202601{number % 10 + 1:02}",
        TIMES[number % 6],
        PHYSICIANS[number % 3],
        "MF"[number % 2],
        ("ROOM 1", "ROOM 2", "")[number % 3],
    )


PLAN = tuple(_planned(number) for number in range(1, COUNT + 1))


def data_set_of(planned: Planned) -> DataSet:
    """The entry as a data set, in Latin-1."""
    step = data_set(
        Modality=planned.modality,
        ScheduledStationAETitle="\\".join(planned.stations),
        ScheduledProcedureStepStartDate=planned.date,
        ScheduledProcedureStepStartTime=planned.time,
        ScheduledPerformingPhysicianName=planned.physician,
        ScheduledProcedureStepDescription=f"{planned.modality} step",
        ScheduledProcedureStepID=f"S{planned.number:04}",
        ScheduledProcedureStepLocation=planned.location,
    )
    code = data_set(CodeValue=planned.code, CodingSchemeDesignator="99X", CodeMeaning="Procedure")
    return data_set(
        AccessionNumber=planned.accession,
        PatientName=planned.name,
        PatientID=planned.patient,
        PatientBirthDate="19600101",
        PatientSex=planned.sex,
        StudyInstanceUID=f"1.2.826.0.1.3680043.9.7433.5.{planned.number}",
        RequestedProcedureDescription="Procedure",
        RequestedProcedureCodeSequence=[code],
        ScheduledProcedureStepSequence=[step],
        RequestedProcedureID=f"R{planned.number:04}",
    )


Is: TypeAlias = Callable[[Planned], bool]


@dataclass(frozen=True, slots=True, eq=False)
class WorklistRow:
    """One query; keys of the step are in ``step``, those around it in ``root``."""

    step: dict[str, str]
    root: dict[str, str]
    clause: str
    says: str
    is_right: Is
    fails: bool = False

    @property
    def words(self) -> str:
        """The keys in words."""
        given = [*self.root.items(), *self.step.items()]
        return ", ".join(f"{name}=`{value}`" for name, value in given) or "no key"

    @property
    def found(self) -> list[str]:
        """The Requested Procedure IDs that are right."""
        if self.fails:
            return []
        return sorted(f"R{each.number:04}" for each in PLAN if self.is_right(each))


def _step(says: str, clause: str, is_right: Is, *, fails: bool = False, **step: str) -> WorklistRow:
    return WorklistRow(step, {}, clause, says, is_right, fails)


def _root(says: str, clause: str, is_right: Is, *, fails: bool = False, **root: str) -> WorklistRow:
    return WorklistRow({}, root, clause, says, is_right, fails)


def _folded(name: str) -> str:
    return name.upper().replace("Ü", "U")


_STATION, _DATE = "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"
_TIME, _READER = "ScheduledProcedureStepStartTime", "ScheduledPerformingPhysicianName"
_SINGLE, _RANGE, _WILD = "K.2.2.1", "K.6.1.2.2", "K.6.1.2.2"


def _minutes(planned: Planned) -> str:
    return planned.time[:4]


ROWS: tuple[WorklistRow, ...] = (
    _step("every entry", "K.2.2.1.2", lambda e: True),
    _step("one station", _SINGLE, lambda e: "CT1" in e.stations, ScheduledStationAETitle="CT1"),
    _step("one of several stations of a step", "K.2.2.3", lambda e: "CT9" in e.stations,
          ScheduledStationAETitle="CT9"),
    _step("case counts in an AE title", "K.2.2.1.1", lambda e: False,
          ScheduledStationAETitle="ct1"),
    _step("spaces around an AE title mean nothing (PS3.5 6.2)", _SINGLE,
          lambda e: "CT1" in e.stations, ScheduledStationAETitle="CT1 "),
    _step("no such station", _SINGLE, lambda e: False, ScheduledStationAETitle="NO"),
    _step("a star alone is universal", "K.2.2.1.1.1", lambda e: True,
          ScheduledStationAETitle="*"),
    _step("one modality", _SINGLE, lambda e: e.modality == "MR", Modality="MR"),
    _step("case counts in a code", "K.2.2.1.1", lambda e: False, Modality="mr"),
    _step("either of two modalities; our choice", "C.2.2.2",
          lambda e: e.modality in {"MR", "US"}, Modality="MR\\US"),
    _step("one day", _SINGLE, lambda e: e.date == "20260105",
          ScheduledProcedureStepStartDate="20260105"),
    _step("days from to", _RANGE, lambda e: "20260103" <= e.date <= "20260105",
          ScheduledProcedureStepStartDate="20260103-20260105"),
    _step("days from", _RANGE, lambda e: e.date >= "20260108",
          ScheduledProcedureStepStartDate="20260108-"),
    _step("days until", _RANGE, lambda e: e.date <= "20260102",
          ScheduledProcedureStepStartDate="-20260102"),
    _step("no day of the calendar: an error, never everything", "K.4.1.1.4", lambda e: False,
          fails=True, ScheduledProcedureStepStartDate="20261301"),
    _step("no date: an error, never everything", "K.4.1.1.4", lambda e: False,
          fails=True, ScheduledProcedureStepStartDate="today"),
    _step("a time by its precision: 0900 is its minute", "C.2.2.2.1.3",
          lambda e: _minutes(e) == "0900", ScheduledProcedureStepStartTime="0900"),
    _step("1030 is also 103000", "C.2.2.2.1.3", lambda e: _minutes(e) == "1030",
          ScheduledProcedureStepStartTime="1030"),
    _step("090000 is also 0900", "C.2.2.2.1.3", lambda e: _minutes(e) == "0900",
          ScheduledProcedureStepStartTime="090000"),
    _step("times from to", _RANGE, lambda e: "0900" <= _minutes(e) <= "1200",
          ScheduledProcedureStepStartTime="0900-1200"),
    _step("times from", _RANGE, lambda e: _minutes(e) >= "1345",
          ScheduledProcedureStepStartTime="1345-"),
    _step("times until, 0730 included", _RANGE, lambda e: _minutes(e) <= "0730",
          ScheduledProcedureStepStartTime="-0730"),
    _step("ranges of date and time are one: from 3 January 12:00 to 5 January 09:00", "K.6.1.2.2",
          lambda e: "202601031200" <= e.date + _minutes(e) <= "202601050900",
          ScheduledProcedureStepStartDate="20260103-20260105",
          ScheduledProcedureStepStartTime="1200-0900"),
    _step("ranges of date and time are one, open at the end", "K.6.1.2.2",
          lambda e: e.date + _minutes(e) >= "202601091345",
          ScheduledProcedureStepStartDate="20260109-",
          ScheduledProcedureStepStartTime="1345-"),
    _step("ranges of date and time are one, open at the start", "K.6.1.2.2",
          lambda e: e.date + _minutes(e) <= "202601020900",
          ScheduledProcedureStepStartDate="-20260102",
          ScheduledProcedureStepStartTime="-0900"),
    _step("one day and a range of times", "K.6.1.2.2",
          lambda e: e.date == "20260104" and "0800" <= _minutes(e) <= "1200",
          ScheduledProcedureStepStartDate="20260104",
          ScheduledProcedureStepStartTime="0800-1200"),
    _step("a station's day", "K.6.1.2.2",
          lambda e: "MR1" in e.stations and e.date == "20260103",
          ScheduledStationAETitle="MR1", ScheduledProcedureStepStartDate="20260103"),
    _step("station, day and modality", "K.6.1.2.2",
          lambda e: "CT1" in e.stations and e.date == "20260106" and e.modality == "CT",
          ScheduledStationAETitle="CT1", ScheduledProcedureStepStartDate="20260106",
          Modality="CT"),
    _step("a physician; an empty name does not match", "K.2.2.1.1.1",
          lambda e: e.physician.startswith("READER"),
          ScheduledPerformingPhysicianName="READER^RITA"),
    _step("case need not count in names", "C.2.2.2.1.1",
          lambda e: e.physician.startswith("Heller"),
          ScheduledPerformingPhysicianName="HELLER^HANS"),
    _step("a wild card; an empty name does not match", "K.2.2.1.1.1",
          lambda e: e.physician.startswith("READER"), ScheduledPerformingPhysicianName="R*"),
    _step("? is one character", _WILD, lambda e: e.physician.startswith("READER"),
          ScheduledPerformingPhysicianName="READER^RIT?"),
    _step("a star alone finds empty names, too", "K.2.2.1.1.1", lambda e: True,
          ScheduledPerformingPhysicianName="*"),
    _step("an optional key: a place", "K.2.2.1.2", lambda e: e.location == "ROOM 1",
          ScheduledProcedureStepLocation="ROOM 1"),
    _step("an optional key with a wild card", "K.2.2.1.2", lambda e: e.location != "",
          ScheduledProcedureStepLocation="ROOM*"),
    _step("an optional key: the ID of a step", "K.2.2.1.2", lambda e: e.number == 77,
          ScheduledProcedureStepID="S0077"),
    _step("an optional key: a description", "K.2.2.1.2", lambda e: e.modality == "XA",
          ScheduledProcedureStepDescription="XA step"),
    _root("a name", _SINGLE, lambda e: e.name == "DOE^JOHN", PatientName="DOE^JOHN"),
    _root("case need not count in names", "C.2.2.2.1.1", lambda e: e.name.upper() == "DOE^JANE",
          PatientName="DOE^JANE"),
    _root("a family name", _WILD, lambda e: e.name.upper().startswith("DOE^"),
          PatientName="DOE^*"),
    _root("a beginning", _WILD, lambda e: e.name.startswith("SMITH"), PatientName="SMITH*"),
    _root("a star inside", _WILD, lambda e: e.name in {"SMITH^MARY^^DR", "SMITHSON^MARK"},
          PatientName="S*^MAR*"),
    _root("trailing empty components mean nothing (PS3.5 6.2.1)", "C.2.2.2.1.1",
          lambda e: e.name == "DOE^JOHN", PatientName="DOE^JOHN^^"),
    _root("accents need not count in names", "C.2.2.2.1.1",
          lambda e: _folded(e.name) == "MULLER^JURGEN", PatientName="MULLER^JURGEN"),
    _root("an apostrophe is a letter", _SINGLE, lambda e: e.name.startswith("O'B"),
          PatientName="O'BRIEN*"),
    _root("? is one character, not one byte", _WILD,
          lambda e: _folded(e.name) == "MULLER^JURGEN", PatientName="M?LLER^J?RGEN"),
    _root("no such name", _SINGLE, lambda e: False, PatientName="NOBODY"),
    _root("an ID", _SINGLE, lambda e: e.patient == "PID007", PatientID="PID007"),
    _root("case counts in an ID", "K.2.2.1.1", lambda e: False, PatientID="pid007"),
    _root("an ID with a wild card; our choice", "C.2.2.2.4",
          lambda e: e.patient.startswith("PID01"), PatientID="PID01*"),
    _root("an ID and a name of two patients", _SINGLE, lambda e: False, PatientID="PID007",
          PatientName="NOBODY"),
    _root("an optional key: an accession number", "K.2.2.1.2", lambda e: e.number == 42,
          AccessionNumber="A0042"),
    _root("an empty accession number does not match", "K.2.2.1.1.1",
          lambda e: e.accession != "", AccessionNumber="A*"),
    _root("an optional key: a sex", "K.2.2.1.2", lambda e: e.sex == "F", PatientSex="F"),
    _root("an optional key: a birth date", "K.2.2.1.2", lambda e: False,
          PatientBirthDate="19600102"),
    _root("an optional key: a UID", "K.2.2.1.2", lambda e: e.number == 5,
          StudyInstanceUID="1.2.826.0.1.3680043.9.7433.5.5"),
    _root("an optional key: two UIDs", "C.2.2.2.2", lambda e: e.number in {5, 6},
          StudyInstanceUID="1.2.826.0.1.3680043.9.7433.5.5\\1.2.826.0.1.3680043.9.7433.5.6"),
    _root("an optional key: an ID of a requested procedure", "K.2.2.1.2",
          lambda e: e.number == 9, RequestedProcedureID="R0009"),
    WorklistRow({}, {"RequestedProcedureCodeSequence[0].CodeValue": "P2"}, "K.2.2.1.2",
                "an optional key: a code in a sequence", lambda e: e.code == "P2"),
    WorklistRow({}, {"RequestedProcedureCodeSequence[0].CodeValue": "P9"}, "K.2.2.1.2",
                "an optional key: a code that nobody has", lambda e: False),
    WorklistRow({"Modality": "CT"}, {"PatientName": "SMITH*"}, "K.4.1.3.1",
                "keys of step and patient together",
                lambda e: e.modality == "CT" and e.name.startswith("SMITH")),
    WorklistRow({"ScheduledStationAETitle": "CT1"}, {"PatientID": "PID005"}, "K.4.1.3.1",
                "a station and a patient",
                lambda e: "CT1" in e.stations and e.patient == "PID005"),
)  # fmt: skip
