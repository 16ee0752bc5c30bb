"""Orders of HL7 messages in the worklist: they come, change, are cancelled (HL7 table 0119)."""

from __future__ import annotations

import pytest

from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.hl7_mapping import default_mapping
from dicomquest.worklist.hl7_message import Hl7Error
from dicomquest.worklist.hl7_orders import Taken, answer_message, take_message
from fixtures.orders import IHE_ORDER, IMAGING_ORDER

MAPPING = default_mapping()


def effect(worklist: Worklist, data: bytes) -> tuple[int, int, int]:
    taken: Taken = take_message(worklist, data, MAPPING, "a test")
    return taken.added.new, taken.added.replaced, taken.removed


def test_order_comes_changes_and_leaves(location: str) -> None:
    with Worklist(location) as worklist:
        assert effect(worklist, IHE_ORDER) == (1, 0, 0)
        assert effect(worklist, IHE_ORDER) == (0, 1, 0)
        changed = IHE_ORDER.replace(b"ORC|NW", b"ORC|XO").replace(b"051430", b"061430")
        assert effect(worklist, changed) == (0, 1, 0)
        assert effect(worklist, IHE_ORDER.replace(b"ORC|NW", b"ORC|CA")) == (0, 0, 1)
        assert effect(worklist, IHE_ORDER.replace(b"ORC|NW", b"ORC|CA")) == (0, 0, 0)
        assert worklist.count() == 0


def test_cancel_without_obr_ends_the_order(location: str) -> None:
    with Worklist(location) as worklist:
        bare = IMAGING_ORDER.replace(b"A2^RIS", b"FI2")
        assert effect(worklist, bare) == (2, 0, 0)
        head, _, _ = bare.replace(b"ORC|NW", b"ORC|OC").partition(b"TQ1")
        assert effect(worklist, head) == (0, 0, 2)


def test_one_cancelled_step_leaves_the_other(location: str) -> None:
    with Worklist(location) as worklist:
        effect(worklist, IMAGING_ORDER)
        head, _, last = IMAGING_ORDER.partition(b"IPC|")
        one = (head + b"IPC|" + last.split(b"IPC|")[1]).replace(b"ORC|NW", b"ORC|CA")
        assert effect(worklist, one) == (0, 0, 1)
        assert worklist.count() == 1


@pytest.mark.parametrize(("status", "count"), [("CM", 0), ("DC", 0), ("IP", 1), ("SC", 1)])
def test_status_decides(location: str, status: str, count: int) -> None:
    with Worklist(location) as worklist:
        effect(worklist, IHE_ORDER)
        told = IHE_ORDER.replace(b"ORC|NW", b"ORC|SC").replace(b"||SC||", f"||{status}||".encode())
        effect(worklist, told)
        assert worklist.count() == count


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"ORC|NW", b"ORC|QQ", "ORC-1 'QQ'"),
        (b"ORC|NW", b"ORC|", "ORC-1 has no order control"),
        (b"|||CT|||", b"||||||", "Modality has no value"),
        (b"OBR|", b"ZBR|", "no OBR"),
    ],
)
def test_refused_message_changes_nothing(location: str, old: bytes, new: bytes, words: str) -> None:
    with Worklist(location) as worklist:
        with pytest.raises(Hl7Error, match=words):
            take_message(worklist, IHE_ORDER.replace(old, new), MAPPING, "a test")
        answered = answer_message(worklist, IHE_ORDER.replace(old, new), MAPPING, "a test")
        assert b"\rMSA|AE|17|" in answered.answer
        assert words in answered.reason
        assert worklist.count() == 0


def test_log_has_no_value_of_the_patient(location: str) -> None:
    with Worklist(location) as worklist:
        wrong = IHE_ORDER.replace(b"19700102", b"1970")
        answered = answer_message(worklist, wrong, MAPPING, "a test")
        assert b"PID-7.1 '1970' is no" in answered.answer
        assert answered.reason.startswith("PID-7.1 is no Patient's Birth Date")


def test_a_wrong_step_refuses_the_others(location: str) -> None:
    with Worklist(location) as worklist:
        wrong = IMAGING_ORDER.replace(b"|S2B|MR|", b"|S2B||").replace(b"|MR\r", b"|\r")
        with pytest.raises(Hl7Error):
            take_message(worklist, wrong, MAPPING, "a test")
        assert worklist.count() == 0


def test_database_that_fails_is_told(tmp_path: object) -> None:
    with Worklist(f"{tmp_path}/index.sqlite") as worklist:
        worklist.close()
    with Worklist(f"{tmp_path}/index.sqlite") as broken:
        with broken._database.begin() as connection:
            connection.exec_driver_sql("DROP TABLE worklist_station")
        answered = answer_message(broken, IHE_ORDER, MAPPING, "a test")
    assert b"\rMSA|AE|17|the order could not be stored" in answered.answer


def ordered(control: str, placer: str, filler: str = "", numbers: str = "||") -> bytes:
    """A message about one order; ``numbers`` are OBR-18 to 20: accession, procedure, step."""
    head, order, rest = IHE_ORDER.partition(b"ORC|NW|PL1^RIS|FI1^RIS|")
    assert order
    told = rest.replace(b"PL1^RIS|FI1^RIS", f"{placer}|{filler}".encode())
    told = told.replace(b"|A1|R1|S1|", f"|{numbers}|".encode()).partition(b"ZDS|")[0]
    return head + f"ORC|{control}|{placer}|{filler}|".encode() + told


def without_obr(data: bytes) -> bytes:
    return data.partition(b"OBR|")[0]


FIRST = ordered("NW", "PLd", "FId", "ACC3|RPD|SPD")


@pytest.mark.parametrize(
    "cancel",
    [
        ordered("CA", "PLd", "FId"),
        without_obr(ordered("CA", "PLd", "FId")),
        ordered("CA", "PLd"),
        ordered("CA", "PLd", "FId").replace(b"PID|||P1^^^EAST^PI", b"PID|||"),
        ordered("CA", "PLd", "FId", "ACC3|RPD|SPD").replace(b"|||P1^", b"|||P9^"),
    ],
)
def test_cancel_names_the_order_by_its_numbers(location: str, cancel: bytes) -> None:
    with Worklist(location) as worklist:
        effect(worklist, FIRST)
        assert effect(worklist, cancel) == (0, 0, 1)


@pytest.mark.parametrize(
    ("first", "changed"),
    [
        (ordered("NW", "PLd", "FId"), ordered("XO", "PLd", "FId", "ACC3||")),
        (ordered("NW", "PLd"), ordered("XO", "PLd", "FId", "ACC3|RPD|SPD")),
        (ordered("NW", "PLd", "FId", "ACC3||"), ordered("XO", "PLd", "FId", "ACC4||")),
        (FIRST, ordered("XO", "PLd", "FId")),
    ],
)
def test_changed_numbers_replace_the_entry(location: str, first: bytes, changed: bytes) -> None:
    with Worklist(location) as worklist:
        assert effect(worklist, first) == (1, 0, 0)
        study = _studies(worklist)
        assert effect(worklist, changed) == (0, 1, 0)
        assert worklist.count() == 1
        assert _studies(worklist) == study


def _studies(worklist: Worklist) -> list[str]:
    with worklist.database.connect() as connection:
        found = connection.exec_driver_sql("SELECT study_instance_uid FROM worklist_entry")
        return sorted(study for (study,) in found)


@pytest.mark.parametrize(
    ("other", "cancel"),
    [
        # One accession has two orders.
        (ordered("NW", "PLe", "FIe", "ACC3|RPE|SPE"), ordered("CA", "PLe", "FIe", "ACC3||")),
        (ordered("NW", "PLe", "FIe", "ACC3|RPE|SPE"), ordered("CA", "PLe", "FIe")),
        # One placer number stands for two orders.
        (ordered("NW", "PLd", "", "ACC4||"), ordered("CA", "PLd", "", "ACC4||")),
        (ordered("NW", "PLd", "FIe", "ACC3|RPE|SPE"), ordered("CA", "PLd", "FIe")),
        # One order has two steps.
        (ordered("NW", "PLd", "FId", "ACC3|RPD|SPE"), ordered("CA", "PLd", "FId", "||SPE")),
        # Another sender counts alike.
        (ordered("NW", "PLd", "FId").replace(b"|P1^", b"|P9^"),
         ordered("CA", "PLd", "FId").replace(b"|P1^", b"|P9^")),
    ],
)  # fmt: skip
def test_cancel_leaves_other_orders(location: str, other: bytes, cancel: bytes) -> None:
    with Worklist(location) as worklist:
        assert effect(worklist, FIRST) == (1, 0, 0)
        before = _identities(worklist)
        assert effect(worklist, other) == (1, 0, 0)
        assert effect(worklist, cancel) == (0, 0, 1)
        assert _identities(worklist) == before


def _identities(worklist: Worklist) -> list[str]:
    with worklist.database.connect() as connection:
        found = connection.exec_driver_sql("SELECT identity FROM worklist_entry")
        return sorted(identity for (identity,) in found)


@pytest.mark.parametrize(("control", "count"), [("CA", 0), ("XO", 1), ("NW", 1)])
def test_order_that_is_not_there_is_told(location: str, control: str, count: int) -> None:
    with Worklist(location) as worklist:
        answered = answer_message(worklist, ordered(control, "PLd"), MAPPING, "a test")
        assert answered.taken is not None
        assert (answered.control_id, worklist.count()) == ("17", count)
        assert answered.taken.missed == (() if control == "NW" else (control,))


def test_long_order_number_stands_for_nothing(location: str) -> None:
    long = "F" * 40
    with Worklist(location) as worklist:
        assert effect(worklist, ordered("NW", long, long, "|RPD|SPD")) == (1, 0, 0)
        with pytest.raises(Hl7Error, match=r"ORC-3.1 .* Scheduled Procedure Step ID"):
            effect(worklist, ordered("NW", long, long, "A1|RPD|"))
        assert effect(worklist, without_obr(ordered("CA", long, long))) == (0, 0, 1)
