"""A patient's identifiers as ABDM tells them apart: by the code of their type, and easy to swap.

NRCeS, ndhm-identifier-type-code: ``HIN`` is the ABHA number and ``ABHA`` is the ABHA address, whatever their names suggest.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.abdm.fhir.found import Found
from connectors.abdm.fhir.invariants import parts

ABHA_NUMBER: Final = r"\d{2}-\d{4}-\d{4}-\d{4}|\d{14}"
ABHA_ADDRESS: Final = r"[A-Za-z0-9][A-Za-z0-9._!-]{1,98}[A-Za-z0-9]@(?:abdm|sbx)"
_FORMS: Final = {
    "HIN": (re.compile(ABHA_NUMBER, re.ASCII), "HIN is the ABHA number: 14 digits"),
    "ABHA": (re.compile(ABHA_ADDRESS, re.IGNORECASE | re.ASCII), "ABHA is the ABHA address: a name, @ and abdm or sbx"),
}


def look(patient: Mapping[str, Any], found: Found, path: str) -> None:
    """Find identifiers whose value is not what their type says."""
    for at, identifier in enumerate(parts(patient, "identifier")):
        if not isinstance(identifier, dict):
            continue
        codes = [each.get("code") for each in parts(identifier.get("type"), "coding") if isinstance(each, dict)]
        for code in codes:
            if not isinstance(code, str) or code not in _FORMS:
                continue
            form, says = _FORMS[code]
            value = identifier.get("value")
            if isinstance(value, str) and not form.fullmatch(value):
                found.fault(
                    f"{path}.identifier[{at}].value", f"{says} (Patient.identifier.type, ndhm-identifier-type-code)"
                )
