"""Words of the search box that are no names: modalities, body parts (PS3.3 C.7.3.1.1.1).

The tables are fixed. Words taken from the index would tell of hidden studies.
"""

from __future__ import annotations

_CODES = (
    "AR ASMT AU BDUS BI BMD CD CF CP CR CS CT CTPROTOCOL DD DG DM DMS DOC DS DX EC ECG EEG EMG EOG "
    "EPS ES FA FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS MA MG MR MS NM OAM OCT OP OPM "
    "OPR OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT "
    "RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF "
    "VIDD XA XAPROTOCOL XC"
)
MODALITIES = frozenset(_CODES.split())
"""The codes that are modalities in capital letters, retired ones too."""

IN_SMALL_LETTERS = frozenset({"ct", "mr", "us", "xa", "cr", "dx", "mg", "pt", "nm"})
"""The codes that are modalities in small letters too: no names that people have."""

MODALITY_WORDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("mri", "irm", "mrt", "мрт"), ("MR",)),
    **dict.fromkeys(("ultrasound", "ultraschall", "échographie", "ecografía", "узи"), ("US",)),
    **dict.fromkeys(("sonography", "sono", "echo", "エコー", "超音波"), ("US",)),
    **dict.fromkeys(("x-ray", "xray", "röntgen", "radiographie", "レントゲン"), ("CR", "DX")),
    **dict.fromkeys(("mammography", "mammogram", "mammo", "mammographie"), ("MG",)),
    **dict.fromkeys(("angiography", "angiographie"), ("XA",)),
    **dict.fromkeys(("fluoroscopy", "fluoro"), ("RF",)),
    **dict.fromkeys(("pet", "tep"), ("PT",)),
    **dict.fromkeys(("scintigraphy", "szintigraphie"), ("NM",)),
    **dict.fromkeys(("endoscopy", "endoskopie"), ("ES",)),
    "кт": ("CT",),
}
"""Modalities by the words that people use for them."""

_DESCRIPTIONS = """
    abdomen abdominal adrenal airway angio angiogram ankle anterior aorta aortic appendix arm
    arterial artery arthrogram axial axilla back barium biliary biopsy bladder blood bone bowel
    brachial brain breast bronchus calcaneus calf cardiac carotid carpal cartilage catheter
    cerebellum cerebral cervical chest cholangiography clavicle coccyx colon colonography contrast
    coronal coronary cranial cranium dental diaphragm diffusion disc dose drainage duodenum ear
    elbow enema enterography esophagus extremity eye face facial femoral femur fetal fibula finger
    fistula foot forearm gallbladder ganglion gastric gland hand head heart hemithorax hepatic hip
    humerus iliac implant infusion injection intestine jaw joint kidney knee kub lacrimal larynx
    lateral leg ligament liver localizer lower lumbar lumbosacral lung lymph mandible mastoid
    maxilla mediastinum meniscus metacarpal metatarsal myelogram nasal neck nerve neuro nodule
    oblique obstetric ocular orbit orbits ovary pancreas parathyroid parotid patella pelvic pelvis
    penis perfusion pharynx phantom pituitary placenta pleura portable posterior postop preop
    prostate pulmonary radius rectum renal rib ribs routine runoff sacroiliac sacrum sagittal
    salivary scapula scan scoliosis screening scout scrotum sella shoulder sinus sinuses skeletal
    skull spinal spine spleen stent sternum stomach survey swallow tarsal temporal temporomandibular
    tendon testis testicle thigh thoracic thorax throat thumb thymus thyroid tibia toe tomography
    tongue tooth teeth trachea transplant transverse trauma tumor tumour ulna ultrasonography
    umbilical upper ureter urethra urinary urogram uterus vagina valve vascular vein venous
    ventricle vertebra vessel wrist abdomenübersicht becken bauch bein brust brustkorb bws daumen
    ellenbogen ferse finger fuss fuß gehirn gelenk halswirbelsäule hals hand handgelenk harnblase
    herz hirn hüfte hws kiefer knie knöchel knochen kopf kreuzbein leber lenden lendenwirbelsäule
    lunge lungen lws magen milz niere nieren oberarm oberschenkel prostata rippen rücken schädel
    schilddrüse schlüsselbein schulter sprunggelenk steissbein thorax unterarm unterschenkel wirbel
    wirbelsäule zehe bassin bras cerveau cheville colonne cou coude crâne cuisse doigt dos épaule
    estomac foie genou hanche jambe mâchoire oeil orteil os pied poitrine poignet poumon rate rein
    sein tête ventre cabeza cadera cerebro codo columna corazón cráneo cuello dedo espalda hígado
    hombro mama mano muñeca muslo pecho pelvis pie pierna pulmón riñón rodilla tobillo tórax addome
    anca bacino braccio caviglia cervello collo cranio fegato gamba ginocchio gomito piede polmone
    polso rachide spalla stomaco testa torace
    頭部 頸部 胸部 腹部 骨盤 脊椎 頸椎 胸椎 腰椎 膝 膝関節 肩
    股関節 手 足 心臓 肺 肝臓 腎臓 脳 голова
    грудь живот колено плечо позвоночник таз шея
"""
DESCRIPTION_WORDS = frozenset(_DESCRIPTIONS.split())
"""Words of study descriptions: body parts, views, procedures, in the languages of their users."""
