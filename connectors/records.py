"""What goes out to a network of health records: one declared model for each action that a flow of the gateway's makes.

A network's connector takes these for the actions of the same names and may declare more. `request_id` is drawn and stored by
whoever waits for the network's answer before anything is sent; `answers` is the id of the letter that is answered.
"""

import re
import unicodedata
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from connectors.message import PhoneNumber
from connectors.told import Proof, RecordKind
from scopes.field import Disclosed, Unfit, discloses
from scopes.vocabulary import Category

_UUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NOT_SHOWN: Final = re.compile(r"[^a-zA-Z0-9_\-@,. \"':|()/]+")


def shown(text: str) -> str:
    """A text in the characters that the network shows a patient; others become a space. Raises Unfit where none is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() if not text.isascii() else text
    kept = " ".join(_NOT_SHOWN.sub(" ", plain).split())[:255].rstrip()
    if not kept:
        raise Unfit("must have Latin letters or digits, which is all that the network shows")
    return kept


# The network's own patterns for what a patient sees before they have proved who they are. A reference is what records are
# found by, so another one is refused; what is only shown is put into the network's characters.
_Reference = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_\-@,. ()/:\\]{1,255}$"), Field(examples=["V-1042"])]
_Display = Annotated[str, StringConstraints(max_length=1000), AfterValidator(shown), Field(examples=["Visit"])]
_Word = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
_Known = Annotated[_Word, Field(examples=["1f5b2f2e-8d3c-4a53-9d0e-3f9c2b7a6d11"])]
_Address = Annotated[_Word, Field(examples=["asha.rao@sbx"])]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
_Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{14}$"), Field(examples=["22722548295255"])]

RequestId = Annotated[
    Annotated[
        str,
        StringConstraints(pattern=f"^{_UUID}$"),
        Field(examples=["5f1c9c1e-3b5a-4d6e-9f70-2a1b3c4d5e6f"]),
    ]
    | None,
    discloses(Category.OPERATIONAL, "the id under which the network answers"),
]
Answers = Annotated[_Known, discloses(Category.OPERATIONAL, "which message of the network's is answered")]
Transaction = Annotated[_Known, discloses(Category.OPERATIONAL, "which exchange it belongs to")]
Trouble = Annotated[_Word | None, discloses(Category.OPERATIONAL, "what went wrong, in a word of our own")]
"""A word of `connectors.told.Setback`, which the connector says in the network's form."""
Address = Annotated[_Address, discloses(Category.IDENTIFIER, "the patient's address at the network")]
Number = Annotated[_Digits | None, discloses(Category.IDENTIFIER, "the patient's number at the network")]
PatientReference = Annotated[_Reference, discloses(Category.IDENTIFIER, "the clinic's own reference of the patient")]
PatientDisplay = Annotated[_Display, discloses(Category.IDENTITY, "how the patient sees their file called")]
Kinds = Annotated[tuple[RecordKind, ...], discloses(Category.CLINICAL, "which kinds of documents there are")]


class Context(Disclosed):
    """One visit or admission whose records can be asked for; never what for."""

    reference: Annotated[_Reference, discloses(Category.IDENTIFIER, "the clinic's own reference of the visit")]
    display: Annotated[_Display, discloses(Category.APPOINTMENT, "how the patient sees the visit called")]
    kinds: Kinds


_Contexts = Annotated[tuple[Context, ...], discloses(Category.APPOINTMENT, "the visits, one each")]


class Taken(Disclosed):
    """What is kept of an answer that says only that the message was taken."""

    request_id: RequestId = None


class RequestLinkToken(Disclosed):
    """Ask for the right to link a patient's records: what is said of them must be as the network knows it."""

    request_id: RequestId = None
    address: Address
    number: Number = None
    name: Annotated[_Text, discloses(Category.IDENTITY, "compared with what the network knows")]
    gender: Annotated[Literal["M", "F", "O"], discloses(Category.IDENTITY, "compared with what the network knows")]
    year_of_birth: Annotated[
        int, Field(ge=1850, le=2200, examples=[1984]), discloses(Category.IDENTITY, "compared with the network's")
    ]


class LinkContexts(Disclosed):
    """Link visits of one patient; the network splits by kind of document."""

    request_id: RequestId = None
    link_token: Annotated[str, discloses(Category.OPERATIONAL, "the network's permission to link")]
    address: Address
    number: Number = None
    patient_reference: PatientReference
    patient_display: PatientDisplay
    contexts: Annotated[_Contexts, Field(min_length=1, max_length=20)]


class NotifyContext(Disclosed):
    """Say that a linked visit has documents of new kinds."""

    request_id: RequestId = None
    address: Address
    patient_reference: PatientReference
    context_reference: Annotated[_Reference, discloses(Category.IDENTIFIER, "the clinic's own reference of the visit")]
    kinds: Kinds
    at: Annotated[AwareDatetime, discloses(Category.APPOINTMENT, "of when the documents are")]


class InvitePatient(Disclosed):
    """Let the network write to a patient of whom only the mobile is known that there are records to link."""

    request_id: RequestId = None
    phone: Annotated[
        PhoneNumber,
        Field(examples=["+919876543210"]),
        discloses(Category.CONTACT, "where the network writes to"),
    ]
    facility_name: Annotated[_Text, discloses(Category.OPERATIONAL, "which clinic it is about")]


class AnswerDiscovery(Disclosed):
    """Which visits of a patient lie here that are not linked yet; a problem instead where nobody is found, or several."""

    answers: Answers
    transaction: Transaction
    patient_reference: Annotated[_Reference | None, discloses(Category.IDENTIFIER, "the clinic's own reference")] = None
    patient_display: Annotated[_Display | None, discloses(Category.IDENTITY, "how the file is called")] = None
    contexts: _Contexts = ()
    matched_by: Annotated[tuple[Proof, ...], discloses(Category.OPERATIONAL, "by what the patient was found")] = ()
    problem: Trouble = None


class AnswerLink(Disclosed):
    """That a code was sent to the mobile in the clinic's own file, and until when it holds."""

    answers: Answers
    transaction: Transaction
    reference: Annotated[_Known | None, discloses(Category.OPERATIONAL, "which attempt the code is for")] = None
    hint: Annotated[_Word | None, discloses(Category.CONTACT, "the last digits of the number it went to")] = None
    expires_at: Annotated[AwareDatetime | None, discloses(Category.OPERATIONAL, "until when the code holds")] = None
    problem: Trouble = None


class AnswerConfirmation(Disclosed):
    """Which visits are linked now that the code was right."""

    answers: Answers
    patient_reference: Annotated[_Reference | None, discloses(Category.IDENTIFIER, "the clinic's own reference")] = None
    patient_display: Annotated[_Display | None, discloses(Category.IDENTITY, "how the file is called")] = None
    contexts: _Contexts = ()
    problem: Trouble = None


class AnswerShare(Disclosed):
    """The number in the queue of the counter where a patient scanned the code."""

    answers: Answers
    address: Address
    counter: Annotated[_Word, discloses(Category.OPERATIONAL, "which counter")]
    token_number: Annotated[_Word | None, discloses(Category.APPOINTMENT, "the place in the queue")] = None
    lasts_seconds: Annotated[int | None, Field(ge=0), discloses(Category.OPERATIONAL, "how long it holds")] = None
    problem: Trouble = None


class AnswerConsent(Disclosed):
    """That a consent, or its end, was taken note of."""

    answers: Answers
    consent: Annotated[_Known, discloses(Category.OPERATIONAL, "which consent")]
    problem: Trouble = None


class AnswerRecords(Disclosed):
    """That records will be sent, or why not."""

    answers: Answers
    transaction: Transaction
    problem: Trouble = None


class Sent(Disclosed):
    """How one visit's records fared."""

    context_reference: Annotated[_Reference, discloses(Category.IDENTIFIER, "the clinic's own reference of the visit")]
    arrived: Annotated[bool, discloses(Category.OPERATIONAL, "whether whoever asked took it")]
    code: Annotated[_Word | None, discloses(Category.OPERATIONAL, "our word for why not")] = None


class ReportTransfer(Disclosed):
    """What was sent of what was asked for, visit by visit."""

    consent: Annotated[_Known, discloses(Category.OPERATIONAL, "by which consent")]
    transaction: Transaction
    done_at: Annotated[AwareDatetime, discloses(Category.OPERATIONAL, "when it was done")]
    complete: Annotated[bool, discloses(Category.OPERATIONAL, "whether all of it arrived")]
    entries: Annotated[tuple[Sent, ...], discloses(Category.OPERATIONAL, "how each visit's records fared")] = ()


class PushRecord(Disclosed):
    """One record for whoever asked with a consent: its document goes sealed for them, past the network."""

    transaction: Transaction
    context_reference: Annotated[_Reference, discloses(Category.IDENTIFIER, "the clinic's own reference of the visit")]
    kind: Annotated[RecordKind, discloses(Category.CLINICAL, "which kind of document it is")]
    page: Annotated[int, Field(ge=0), discloses(Category.OPERATIONAL, "which of the pages it is")]
    pages: Annotated[int, Field(ge=1), discloses(Category.OPERATIONAL, "how many pages there are")]
