"""Tell a number that identifies somebody by its form and its check digit. Finding it in a text is screen.py's.

Every function takes bare ASCII digits or capitals, without separators.
"""

import re

_VERHOEFF_PRODUCT = (  # the multiplication of the dihedral group D5
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_VERHOEFF_ORDER = (  # the permutation by position, which comes round after eight
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
_ISSUERS = re.compile(  # Visa, Mastercard, American Express, Diners, JCB, RuPay, Discover, UnionPay, Maestro
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[0689]\d{12}(?:\d\d)?|35\d{14}"
    r"|(?:6\d|8[12]|50)\d{14}(?:\d{2,3})?|(?:5[06-8]|6\d)\d{10,14}"
)


def is_aadhaar(digits: str) -> bool:
    """Tell whether the digits are a valid Aadhaar number (UIDAI: 12 digits, the first 2 to 9, Verhoeff check digit)."""
    if len(digits) != 12 or digits[0] in "01":
        return False
    check = 0
    for position, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_PRODUCT[check][_VERHOEFF_ORDER[position % 8][int(digit)]]
    return check == 0


def is_card(digits: str) -> bool:
    """Tell whether the digits are a valid payment card number (ISO/IEC 7812: an issuer's range and the Luhn digit)."""
    if not 12 <= len(digits) <= 19 or not _ISSUERS.fullmatch(digits):
        return False
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(two - 9 if two > 9 else two for two in doubled)) % 10 == 0


def is_ssn(digits: str) -> bool:
    """Tell whether the digits may be a US social security number (SSA: no area 000, 666 or 9xx, no zero group)."""
    return bool(re.fullmatch(r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}", digits))


def is_phone(digits: str, *, fewest: int = 10) -> bool:
    """Tell whether the digits are as many as a phone number's with its area (ITU-T E.164: at most 15)."""
    return fewest <= len(digits) <= 15


def is_gstin(text: str) -> bool:
    """Tell whether the text is a valid GSTIN (state, PAN, entity, Z, check character in base 36)."""
    if not re.fullmatch(r"[0-3]\d[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]", text):
        return False
    total = 0
    for position, character in enumerate(text[:-1]):
        product = int(character, 36) * (1 + position % 2)
        total += product // 36 + product % 36
    return (36 - total % 36) % 36 == int(text[-1], 36)
