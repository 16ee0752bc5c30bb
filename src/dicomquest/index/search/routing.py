"""The way of a query to the partitions that it needs (``tables.partitioned``; PS3.4 C.6.1).

In the partitioned layout a join also compares the keys of the patients, so that PostgreSQL looks
for the children of a row in one partition. A key for Patient ID says which partition at once.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.dataset.remembering import remembered
from dicomquest.index.tables.partitioned import PATIENT_KEY, key_of_text
from dicomquest.index.tables.schema import SEVERAL_VALUES, TABLES
from dicomquest.query.criteria import AnyOf, SingleValue
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomquest.index.search.condition import Sql
    from dicomquest.index.search.plan import Facts, Plan
    from dicomquest.query.criteria import KeyCriterion

_PATIENT_ID = KEYS_BY_KEYWORD["PatientID"].tag
_TABLES = "|".join(TABLES.values())

_LINKS = (
    # A child and its parent.
    (rf"\b({_TABLES})\.parent = (\w+)\.id\b", r"\g<0> AND \1.{key} = \2.{key}"),
    (rf"\b({_TABLES})\.id = ({_TABLES})\.parent\b", r"\g<0> AND \1.{key} = \2.{key}"),
    # The value rows of an entity, and the file of an instance.
    (rf"\bowner = ({_TABLES})\.id\b", r"\g<0> AND \1_value.{key} = \1.{key}"),
    (r"\bfile\.instance = instance\.id\b", r"\g<0> AND file.{key} = instance.{key}"),
    # The rows of one patient.
    (
        r"\bshown\.id = patient\.id OR shown\.variant_of = patient\.id\b",
        r"(\g<0>) AND shown.{key} = patient.{key}",
    ),
    (
        r"\bmain\.id = (coalesce\(patient\.variant_of, patient\.id\)|patient\.variant_of)",
        r"\g<0> AND main.{key} = patient.{key}",
    ),
    # Entities found by their value rows, or by their children.
    (
        rf"\b({_TABLES})\.id IN \(SELECT owner FROM \1_value WHERE",
        r"(\1.{key}, \1.id) IN (SELECT {key}, owner FROM \1_value WHERE",
    ),
    (
        rf"\b({_TABLES})\.id IN \(SELECT ({_TABLES})\.parent FROM",
        r"(\1.{key}, \1.id) IN (SELECT \2.{key}, \2.parent FROM",
    ),
)
"""The links of rows in the statements of ``compile``, and the same with the keys."""


@remembered(1024, lambda statement: len(statement) <= 16_384)
def routed(statement: str) -> str:
    """Return a statement whose links compare the keys of the patients, too."""
    for link, keyed in _LINKS:
        statement = re.sub(link, keyed.replace("{key}", PATIENT_KEY), statement)
    return statement


def routed_plan(plan: Plan) -> Plan:
    """Return a plan with a routed statement."""
    return replace(plan, sql=routed(plan.sql))


def routing(criteria: Iterable[KeyCriterion], facts: Facts) -> list[Sql]:
    """Return the conditions on the key of the patient that follow from Patient IDs."""
    if (f"{_PATIENT_ID:08X}", SEVERAL_VALUES) in facts.occurrences:
        return []
    found: list[Sql] = []
    for key in criteria:
        if key.tag != _PATIENT_ID or len(key.path) > 1 or key.or_unknown:
            continue
        texts = _texts(key)
        if texts:
            keys = sorted({key_of_text(text) for text in texts})
            found.append(_is_one_of(keys))
    return found


def _is_one_of(keys: list[int]) -> Sql:
    column = f"{TABLES[Level.PATIENT]}.{PATIENT_KEY}"
    if len(keys) > 1:
        return f"{column} = ANY(?::integer[])", ([str(key) for key in keys],)
    # The planner sees by itself that the children have this very key.
    return f"{column} = ?::integer", (keys[0],)


def _texts(key: KeyCriterion) -> list[str]:
    """Return the Patient IDs of which an entity has one; none if there may be others."""
    match key.criterion:
        case SingleValue(value):
            return [value]
        case AnyOf(parts):
            texts = [part.value for part in parts if isinstance(part, SingleValue)]
            return texts if len(texts) == len(parts) else []
        case _:
            return []
