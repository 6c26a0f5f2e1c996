"""What ABDM may be told and what is kept of its answers: ABHA at the desk, declared here; the network's exchanges besides.

A patient's login goes on in several calls. What ties them together is the `session` that an answer holds and the next call
brings: ABDM's token, with a letter before it that says what it is good for. It opens the patient's profile for half an hour,
so a host keeps it no longer than the patient stands at the desk.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from connectors.abdm.identifiers import (
    Aadhaar,
    AbhaAddress,
    AbhaNumber,
    IndianMobile,
    check_aadhaar,
    check_address,
    check_mobile,
    check_number,
)
from connectors.contract import Exchange
from connectors.records import (
    AnswerConfirmation,
    AnswerConsent,
    AnswerDiscovery,
    AnswerLink,
    AnswerRecords,
    AnswerShare,
    InvitePatient,
    LinkContexts,
    NotifyContext,
    PushRecord,
    ReportTransfer,
    RequestLinkToken,
    Taken,
)
from scopes.field import Disclosed, Unfit, discloses
from scopes.vocabulary import Category

_JWT: Final = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_LONGEST: Final = 12_000  # NHA gives no bound; a login's token is about 2,000
_EXAMPLE: Final = "eyJhbGciOiJSUzUxMiJ9.eyJ0eXAiOiJleGFtcGxlIn0.c2lnbmF0dXJl"
_Txn = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9-]{8,64}$"),
    Field(examples=["1f5b2f2e-8d3c-4a53-9d0e-3f9c2b7a6d11"]),
]
_Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,8}$"), Field(examples=["246810"])]
_Opened = Annotated[
    str, StringConstraints(pattern=rf"^X\.{_JWT}$", max_length=_LONGEST), Field(examples=[f"X.{_EXAMPLE}"])
]
_Chosen = Annotated[
    str, StringConstraints(pattern=rf"^T\.{_JWT}$", max_length=_LONGEST), Field(examples=[f"T.{_EXAMPLE}"])
]
_Either = Annotated[
    str, StringConstraints(pattern=rf"^[XT]\.{_JWT}$", max_length=_LONGEST), Field(examples=[f"X.{_EXAMPLE}"])
]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
_Free = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$"), Field(examples=["asha.rao1984"])
]
_Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{14}$"), Field(examples=["22722548295255"])]
_AnyAddress = Annotated[str, StringConstraints(pattern=r"^[!-~]{3,120}$"), Field(examples=["asha.rao@sbx"])]
_Masked = Annotated[str, StringConstraints(pattern=r"^[X*x0-9+ -]{2,20}$"), Field(examples=["******3210"])]
_E164 = Annotated[str, StringConstraints(pattern=r"^\+91[6-9][0-9]{9}$"), Field(examples=["+919876543210"])]
_Base64 = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]+$", max_length=1_400_000), Field(examples=["iVBORw0KGgo="])
]
_Day = Annotated[int, Field(ge=1, le=31)]
_Month = Annotated[int, Field(ge=1, le=12)]
_Year = Annotated[int, Field(ge=1850, le=2200, examples=[1984])]

Way = Literal["mobile", "aadhaar", "abha_number", "abha_address"]
_CHECKS: Final = {
    "mobile": check_mobile,
    "aadhaar": check_aadhaar,
    "abha_number": check_number,
    "abha_address": check_address,
}

Transaction = Annotated[_Txn, discloses(Category.OPERATIONAL, "which attempt it is, as ABDM named it")]
Code = Annotated[_Code, discloses(Category.OPERATIONAL, "the code that the patient was sent")]
Opened = Annotated[_Opened, discloses(Category.IDENTIFIER, "the patient's login, for half an hour")]
By = Annotated[Way, discloses(Category.OPERATIONAL, "by what the patient is found")]
CodeTo = Annotated[
    Literal["mobile", "aadhaar"],
    discloses(Category.OPERATIONAL, "whether ABDM sends the code, or UIDAI to the number that Aadhaar knows"),
]
Consented = Annotated[
    Literal[True], discloses(Category.OPERATIONAL, "that the patient was shown ABDM's consent text and accepted it")
]
Warned = Annotated[
    Literal["number_check_digit"] | None,
    discloses(Category.OPERATIONAL, "that the check digit of the ABHA number is wrong: look at it again"),
]
AnsweredTransaction = Annotated[_Txn | None, discloses(Category.OPERATIONAL, "which attempt it is, as ABDM named it")]
AnsweredMobile = Annotated[_Masked | None, discloses(Category.CONTACT, "the last digits of where the code went")]


class RequestEnrolmentCode(Disclosed):
    """Have UIDAI send a code to the mobile that Aadhaar knows, so that a patient gets an ABHA number."""

    aadhaar: Annotated[Aadhaar, discloses(Category.IDENTIFIER, "who gets an ABHA number; encrypted for ABDM")]
    consented: Consented


class CodeSent(Disclosed):
    """That a code is on its way."""

    transaction: AnsweredTransaction = None
    sent_to: AnsweredMobile = None


class Enrol(Disclosed):
    """Make the account, with the code that the patient was sent. It is made once: no repeat of this is sent."""

    transaction: Transaction
    code: Code
    mobile: Annotated[IndianMobile, discloses(Category.CONTACT, "the mobile of the new account")]
    consented: Consented


class Profile(Disclosed):
    """A patient as ABDM knows them. What Aadhaar proved (`kyc_verified`) is not to be changed at the desk."""

    number: Annotated[_Digits | None, discloses(Category.IDENTIFIER, "the ABHA number")] = None
    address: Annotated[_AnyAddress | None, discloses(Category.IDENTIFIER, "the ABHA address")] = None
    name: Annotated[_Name | None, discloses(Category.IDENTITY, "the name in ABDM")] = None
    gender: Annotated[Literal["M", "F", "O"] | None, discloses(Category.IDENTITY, "the gender in ABDM")] = None
    day_of_birth: Annotated[_Day | None, discloses(Category.IDENTITY, "the day of birth")] = None
    month_of_birth: Annotated[_Month | None, discloses(Category.IDENTITY, "the month of birth")] = None
    year_of_birth: Annotated[_Year | None, discloses(Category.IDENTITY, "the year of birth")] = None
    mobile: Annotated[_E164 | None, discloses(Category.CONTACT, "the mobile in ABDM")] = None
    address_line: Annotated[_Line | None, discloses(Category.LOCATION, "where the patient lives")] = None
    district: Annotated[_Name | None, discloses(Category.LOCATION, "in which district")] = None
    state: Annotated[_Name | None, discloses(Category.LOCATION, "in which state")] = None
    pincode: Annotated[_Word | None, discloses(Category.LOCATION, "the postal code")] = None
    kyc_verified: Annotated[bool | None, discloses(Category.OPERATIONAL, "whether Aadhaar proved these data")] = None
    status: Annotated[_Word | None, discloses(Category.OPERATIONAL, "whether the account is active")] = None


class SharedProfile(Disclosed):
    """What a patient shares by scanning the clinic's code; nothing else of it is kept."""

    number: Annotated[_Digits | None, discloses(Category.IDENTIFIER, "the ABHA number")] = None
    address: Annotated[_AnyAddress, discloses(Category.IDENTIFIER, "the ABHA address")]
    name: Annotated[_Name | None, discloses(Category.IDENTITY, "the name in ABDM")] = None
    gender: Annotated[Literal["M", "F", "O"] | None, discloses(Category.IDENTITY, "the gender in ABDM")] = None
    day_of_birth: Annotated[_Day | None, discloses(Category.IDENTITY, "the day of birth")] = None
    month_of_birth: Annotated[_Month | None, discloses(Category.IDENTITY, "the month of birth")] = None
    year_of_birth: Annotated[_Year | None, discloses(Category.IDENTITY, "the year of birth")] = None
    mobile: Annotated[_E164 | None, discloses(Category.CONTACT, "the mobile that was shared")] = None
    address_line: Annotated[_Line | None, discloses(Category.LOCATION, "where the patient lives")] = None
    district: Annotated[_Name | None, discloses(Category.LOCATION, "in which district")] = None
    state: Annotated[_Name | None, discloses(Category.LOCATION, "in which state")] = None
    pincode: Annotated[_Word | None, discloses(Category.LOCATION, "the postal code")] = None


class Enrolled(Disclosed):
    """The new account, or the one that there was already."""

    transaction: AnsweredTransaction = None
    session: Annotated[_Opened | None, discloses(Category.IDENTIFIER, "the patient's login, for half an hour")] = None
    made: Annotated[bool | None, discloses(Category.OPERATIONAL, "whether the account is new")] = None
    profile: Annotated[Profile | None, discloses(Category.IDENTITY, "the patient as ABDM knows them")] = None


class RequestMobileCode(Disclosed):
    """Have a code sent to another mobile than Aadhaar's, to prove that it is the patient's."""

    transaction: Transaction
    mobile: Annotated[IndianMobile, discloses(Category.CONTACT, "the mobile to be proved; encrypted for ABDM")]


class VerifyMobile(Disclosed):
    """Prove the other mobile with the code that went there."""

    transaction: Transaction
    code: Code


class Verified(Disclosed):
    """That the code was right."""

    transaction: AnsweredTransaction = None
    verified: Annotated[bool, discloses(Category.OPERATIONAL, "whether the code was right")]


class SuggestAddresses(Disclosed):
    """Ask which ABHA addresses would be free for the new account."""

    transaction: Transaction


class Addresses(Disclosed):
    """Addresses that are free."""

    transaction: AnsweredTransaction = None
    addresses: Annotated[tuple[_Free, ...], discloses(Category.IDENTIFIER, "addresses that are free")]


class ChooseAddress(Disclosed):
    """Give the new account its address."""

    transaction: Transaction
    address: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.]{6,16}[A-Za-z0-9]$")],
        Field(examples=["asha.rao"]),
        discloses(Category.IDENTIFIER, "the address that the patient chose, without what follows the @"),
    ]


class Addressed(Disclosed):
    """The address that the account has now."""

    address: Annotated[_AnyAddress, discloses(Category.IDENTIFIER, "the ABHA address")]
    number: Annotated[_Digits | None, discloses(Category.IDENTIFIER, "the ABHA number")] = None


class FindAddress(Disclosed):
    """Ask whether there is an ABHA address, and how its owner can log in."""

    address: Annotated[AbhaAddress, discloses(Category.IDENTIFIER, "which address is asked for")]


class AddressFound(Disclosed):
    """Whether there is one, and by what its owner can log in."""

    found: Annotated[bool, discloses(Category.OPERATIONAL, "whether there is such an account")]
    methods: Annotated[tuple[_Word, ...], discloses(Category.OPERATIONAL, "how its owner can log in")] = ()
    status: Annotated[_Word | None, discloses(Category.OPERATIONAL, "whether the account is active")] = None


class RequestLoginCode(Disclosed):
    """Have a code sent to a patient who has an ABHA already."""

    by: By
    identifier: Annotated[
        str,
        Field(min_length=8, max_length=64, examples=["+919876543210"]),
        discloses(Category.IDENTIFIER, "by what the patient is found; encrypted for ABDM"),
    ]
    code_to: CodeTo

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Self:
        _CHECKS[self.by](self.identifier)
        if self.by == "mobile" and self.code_to == "aadhaar":
            raise Unfit("code_to must be mobile where the patient is found by a mobile")
        if self.by == "aadhaar" and self.code_to == "mobile":
            raise Unfit("code_to must be aadhaar where the patient is found by Aadhaar")
        return self


class LoginCodeSent(Disclosed):
    """Whether there is such a patient, and that a code is on its way."""

    found: Annotated[bool, discloses(Category.OPERATIONAL, "whether there is such an account")]
    transaction: AnsweredTransaction = None
    sent_to: AnsweredMobile = None
    warning: Warned = None


class VerifyLogin(Disclosed):
    """Log a patient in with the code that they were sent; by and code_to are those that it was asked for with."""

    by: By
    code_to: CodeTo
    transaction: Transaction
    code: Code


class Account(Disclosed):
    """One of the accounts of a mobile number: a family may share it."""

    number: Annotated[_Digits, discloses(Category.IDENTIFIER, "the ABHA number")]
    address: Annotated[_AnyAddress | None, discloses(Category.IDENTIFIER, "the ABHA address")] = None
    name: Annotated[_Name | None, discloses(Category.IDENTITY, "whose account it is")] = None
    kyc_verified: Annotated[bool | None, discloses(Category.OPERATIONAL, "whether Aadhaar proved these data")] = None


class LoggedIn(Disclosed):
    """A login: complete, or with accounts of which one is to be chosen first."""

    complete: Annotated[
        bool, discloses(Category.OPERATIONAL, "whether the profile can be read; else choose an account")
    ]
    session: Annotated[
        _Either, discloses(Category.IDENTIFIER, "the patient's login: X. for half an hour, T. for five minutes")
    ]
    transaction: AnsweredTransaction = None
    accounts: Annotated[tuple[Account, ...], discloses(Category.IDENTIFIER, "the accounts to choose from")] = ()


class ChooseAccount(Disclosed):
    """Say which of the accounts of a mobile number it is."""

    session: Annotated[_Chosen, discloses(Category.IDENTIFIER, "the login that waits for a choice")]
    transaction: Transaction
    number: Annotated[AbhaNumber, discloses(Category.IDENTIFIER, "which of the accounts it is")]


class AccountChosen(Disclosed):
    """A login that is complete."""

    session: Opened
    warning: Warned = None


class ReadProfile(Disclosed):
    """Read the profile of a patient who is logged in."""

    session: Opened


class ReadCard(Disclosed):
    """Get the ABHA card of a patient who is logged in, to print it."""

    session: Opened


class ReadQr(Disclosed):
    """Get the code on the ABHA card of a patient who is logged in."""

    session: Opened


class Picture(Disclosed):
    """A picture or a page, as it came."""

    media: Annotated[
        Literal["image/png", "image/jpeg", "application/pdf"], discloses(Category.OPERATIONAL, "in which form it is")
    ]
    content: Annotated[_Base64, discloses(Category.IDENTITY, "the card or its code, in base 64")]


ACTIONS: Final = {
    "request_enrolment_code": Exchange(RequestEnrolmentCode, CodeSent),
    "enrol": Exchange(Enrol, Enrolled),
    "request_mobile_code": Exchange(RequestMobileCode, CodeSent),
    "verify_mobile": Exchange(VerifyMobile, Verified),
    "suggest_addresses": Exchange(SuggestAddresses, Addresses),
    "choose_address": Exchange(ChooseAddress, Addressed),
    "find_address": Exchange(FindAddress, AddressFound),
    "request_login_code": Exchange(RequestLoginCode, LoginCodeSent),
    "verify_login": Exchange(VerifyLogin, LoggedIn),
    "choose_account": Exchange(ChooseAccount, AccountChosen),
    "read_profile": Exchange(ReadProfile, Profile),
    "read_card": Exchange(ReadCard, Picture),
    "read_qr": Exchange(ReadQr, Picture),
    "request_link_token": Exchange(RequestLinkToken, Taken),
    "link_contexts": Exchange(LinkContexts, Taken),
    "notify_context": Exchange(NotifyContext, Taken),
    "invite_patient": Exchange(InvitePatient, Taken),
    "answer_discovery": Exchange(AnswerDiscovery, Taken),
    "answer_link": Exchange(AnswerLink, Taken),
    "answer_confirmation": Exchange(AnswerConfirmation, Taken),
    "answer_share": Exchange(AnswerShare, Taken),
    "answer_consent": Exchange(AnswerConsent, Taken),
    "answer_records": Exchange(AnswerRecords, Taken),
    "report_transfer": Exchange(ReportTransfer, Taken),
    "push_record": Exchange(PushRecord, Taken),
}
