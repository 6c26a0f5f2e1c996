"""Currencies and the digits of their minor unit, as ISO 4217 says. How a vendor counts is its own matter."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from scopes.field import Unfit

_TWO: Final = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE CZK
DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT LAK LBP LKR
LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD YER ZAR ZMW
"""
_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE: Final = "BHD JOD KWD OMR TND"

#: Digits after the point, by currency. What is not here is not taken: a guess may be
#: wrong by a factor of ten (MGA is left out since ISO and the vendors count it differently).
MINOR_DIGITS: Final[dict[str, int]] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}


def check_currency(code: str) -> str:
    """The currency in capitals. Raises Unfit for one that has no known minor unit."""
    capitals = code.upper()
    if capitals not in MINOR_DIGITS:
        raise Unfit("must be a currency of ISO 4217 whose minor unit is known, such as EUR or INR")
    return capitals


Currency = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{3}$"), AfterValidator(check_currency), Field(examples=["EUR"])
]
#: At most eight digits: what Stripe's API reference allows and more than a clinic's bill.
AmountMinor = Annotated[int, Field(strict=True, ge=1, le=99_999_999, examples=[4250])]
