"""Words of the search box that are no names: modalities, body parts (PS3.3 C.7.3.1.1.1)."""

from __future__ import annotations

_CODES = """
CR CT DX MR US XA MG NM PT RF XC OT SC SR PR KO SEG ES IO PX RG OP OCT ECG EPS HD AU RTIMAGE RTDOSE
RTSTRUCT RTPLAN REG DOC BI GM SM TG IVUS BMD
"""
_WORDS = """
abdomen abdominal angio ankle aorta arm axial biopsy bladder bone brain breast cardiac cerebral
cervical chest clavicle colon contrast coronal cranium dental elbow extremity eye face facial femur
finger follow-up foot forearm hand head heart hip humerus jaw kidney knee larynx leg liver localizer
lower lumbar lung mandible neck neuro orbit ovary pancreas pelvis phantom prostate renal routine
sacrum scan scapula screening scout sella shoulder sinus skull spine spleen sternum stomach survey
thigh thoracic thorax throat thyroid tibia toe trauma upper uterus vascular whole wrist
bauch becken bein brust fuss gehirn hals hüfte kopf knie leber lunge niere schulter schädel
wirbelsäule genou tête poitrine épaule rodilla cabeza tórax hombro ginocchio testa
"""

MODALITIES = frozenset(_CODES.split())
"""The codes in capitals that are read as modalities."""

MODALITY_WORDS = {
    **{each: [each.upper()] for each in ("ct", "mr", "us", "xa", "cr", "dx", "mg", "pt", "nm")},
    "mri": ["MR"],
    "ultrasound": ["US"],
    "sonography": ["US"],
    "x-ray": ["CR", "DX"],
    "xray": ["CR", "DX"],
    "mammography": ["MG"],
    "pet": ["PT"],
    "angiography": ["XA"],
}
"""Modalities by the words that people use for them."""

DESCRIPTION_WORDS = frozenset(_WORDS.split())
"""Words that stand in descriptions; not made from the index, which would tell of hidden studies."""
