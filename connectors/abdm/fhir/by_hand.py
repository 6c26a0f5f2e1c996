"""Rules for what ndhm.in 2.0.1 does not define: PrescriptionRecord, InvoiceRecord and Invoice. Read by compile.py only.

Each is written as changes to the definition of a sibling, so that it says the same as that one everywhere else. Taken from
what the later guide is known to ask for; to be read again when its definitions are at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CANONICAL: Final = "https://nrces.in/ndhm/fhir/r4/StructureDefinition"
ANY: Final = "http://hl7.org/fhir/StructureDefinition/Resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """One profile as changes to a sibling's snapshot, by the element's id."""

    id: str
    like: str
    changes: Mapping[str, Mapping[str, Any]]
    without: tuple[str, ...] = ()
    """Elements left out, with all that is below them."""
    slices: Mapping[str, tuple[int, int | None, tuple[str, ...]]] = field(default_factory=dict)
    """Slices of the section's entries: least, most (None: any number), the profiles that they may point to."""


def _code(code: str, display: str) -> dict[str, dict[str, Any]]:
    """A record's type and its one section carry the same code."""
    return {
        **{f"{place}.coding.code": {"fixedCode": code} for place in ("Composition.type", "Composition.section.code")},
        **{f"{place}.coding.display": {"fixedString": display} for place in ("Composition.type", "Composition.section.code")},
    }  # fmt: skip


PRESCRIPTION: Final = ByHand(
    id="PrescriptionRecord",
    like="ImmunizationRecord",
    changes=_code("440545006", "Prescription record"),
    without=(
        "Composition.section.entry:Immunization",
        "Composition.section.entry:ImmunizationRecommendation",
        "Composition.section.entry:DocumentReference",
    ),
    slices={"MedicationRequest": (1, None, ("MedicationRequest",)), "Binary": (0, 1, ("Binary",))},
)
INVOICE: Final = ByHand(
    id="InvoiceRecord",
    like="WellnessRecord",
    changes={
        "Composition.type.text": {"fixedString": "Invoice Record", "min": 1},
        "Composition.section": {
            "max": "1",
            # Nothing says that the entries carry Reference.type, so the target itself tells the slice.
            "slicing": None,
        },
        "Composition.section.entry": {
            "min": 1,
            "type": [
                {"code": "Reference", "targetProfile": [f"{CANONICAL}/{name}" for name in ("Invoice", "DocumentReference")]}
            ],
            "slicing": {"discriminator": [{"type": "type", "path": "resolve()"}], "rules": "closed"},
        },
    },
    without=tuple(
        f"Composition.section:{name}"
        for name in (
            "VitalSigns", "BodyMeasurement", "PhysicalActivity", "GeneralAssessment", "WomenHealth", "Lifestyle",
            "OtherObservations", "DocumentReference",
        )
    ),
    slices={"Invoice": (1, None, ("Invoice",)), "DocumentReference": (0, None, ("DocumentReference",))},
)  # fmt: skip
RECORDS: Final = (PRESCRIPTION, INVOICE)

VALUE_SETS: Final[Mapping[str, tuple[str, ...]]] = {
    # Required bindings of FHIR R4 whose definition names only some of the codes in its short text.
    "diagnostic-report-status": (
        "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
        "entered-in-error", "unknown",
    ),
    "observation-status": (
        "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown",
    ),
    "encounter-status": (
        "planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error", "unknown",
    ),
    "v3-ConfidentialityClassification": ("U", "L", "M", "N", "R", "V"),
}  # fmt: skip
OPEN_ENDED: Final = frozenset({"mimetypes"})
"""Required bindings to all that a standard knows (BCP 13); their form alone is checked."""
