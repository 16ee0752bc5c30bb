"""The keys of the page, and what its box understands, as tables for people (WCAG 2.1.4)."""

from __future__ import annotations

KEYS = (
    ("/", "Go to the search box"),
    ("Enter", "Search; on a study: its page"),
    ("Esc", "Stop the running search, then leave the box"),
    ("↓ ↑ or j k", "Next or previous study"),
    ("→ ←", "Open or close the study below its row"),
    ("x", "Tick the study; shift+↓ ticks a range"),
    ("o", "Open in OHIF"),
    ("c", "Copy the UIDs of ticked studies, one a line"),
    ("n p", "On the page of a study: next or previous study"),
    ("?", "This list"),
)

UNDERSTOOD = (
    ("citizen 2024 MR knee", "MR studies of patients named citizen…, in 2024, about a knee"),
    ("Citizen, Jan", "both names, in any order"),
    ("CITIZEN^JAN", "the name as DICOM writes it; * and ? are wild cards"),
    ("山田", "names in any script, in any of the three groups"),
    ("2024-03, 2024-01..2024-05, since 2024-03", "study dates, both ends in"),
    ("today, last week, last month, 7 days", "study dates from today's"),
    ("CT MR, ultrasound, x-ray", "either modality"),
    ("A77-1203, 77654033", "accession number, patient ID or study ID; zeros count"),
    (
        'id:123 acc:none born:1970 sex:F desc:"status post" station:MR2',
        "one key each; none = empty",
    ),
    ("BodyPartExamined:KNEE", "any keyword of the DICOM dictionary"),
)
