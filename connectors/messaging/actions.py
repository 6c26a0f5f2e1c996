"""What a messaging vendor may be told and what is kept of its answers. One declaration for every vendor of the family.

A message lies on a lock screen and passes carriers: whom, when, where, with whom and how much, never what for. The words
are a template of the clinic's, filled with nothing but these fields.
"""

from typing import Annotated, Final, Self

from pydantic import AwareDatetime, model_validator

from connectors.contract import Content, Exchange
from connectors.message import Message
from connectors.messaging.fields import (
    Code,
    Digits,
    Meaning,
    MessageId,
    Note,
    PaymentUrl,
    PersonName,
    Place,
    Segments,
    Word,
)
from scopes.field import Disclosed, Unfit, discloses
from scopes.money import MINOR_DIGITS, AmountMinor, Currency
from scopes.transform import to_minute
from scopes.vocabulary import Category

CONTENT: Final = Content(
    categories=frozenset(
        {
            Category.CONTACT,
            Category.OPERATIONAL,
            Category.IDENTITY,
            Category.IDENTIFIER,
            Category.APPOINTMENT,
            Category.STAFF,
            Category.BILLING,
            Category.FREE_TEXT,
        }
    ),
    optional=frozenset({Category.IDENTITY, Category.STAFF, Category.FREE_TEXT}),
    why="A message lies on a lock screen and passes carriers: whom, when, where and how much, never what for.",
)

GivenName = Annotated[PersonName | None, discloses(Category.IDENTITY, "the greeting")]
StartsAt = Annotated[AwareDatetime, discloses(Category.APPOINTMENT, "when the appointment is", to_minute)]
Practitioner = Annotated[PersonName | None, discloses(Category.STAFF, "whom the appointment is with")]
Where = Annotated[Place | None, discloses(Category.APPOINTMENT, "where to come")]

VendorId = Annotated[MessageId, discloses(Category.IDENTIFIER, "the vendor's id of the message")]
Status = Annotated[Word | None, discloses(Category.OPERATIONAL, "how far the message is")]


class SendReminder(Message):
    """A reminder of an appointment."""

    starts_at: StartsAt
    given_name: GivenName = None
    practitioner: Practitioner = None
    place: Where = None


class SendConfirmationRequest(SendReminder):
    """A reminder that asks whether the person will come."""


class SendPaymentLink(Message):
    """The address of a page where something is paid; what for is not said."""

    url: Annotated[PaymentUrl, discloses(Category.BILLING, "the page where it is paid")]
    amount_minor: Annotated[AmountMinor, discloses(Category.BILLING, "the amount to pay, in the currency's minor unit")]
    currency: Annotated[Currency, discloses(Category.BILLING, "the currency of the amount")]
    given_name: GivenName = None

    @model_validator(mode="after")
    def _ends_in_zero_where_it_must(self) -> Self:
        # As the payment page that it leads to: card networks round the third decimal away.
        if MINOR_DIGITS[self.currency] == 3 and self.amount_minor % 10:
            raise Unfit("amount_minor in a currency of three decimals must end in 0")
        return self


class SendNotice(Message):
    """A word of the clinic's to a person, such as that it is closed; the note is off unless the clinic switches it on."""

    given_name: GivenName = None
    note: Annotated[Note | None, discloses(Category.FREE_TEXT, "a word of the clinic's own")] = None


class SendCode(Message):
    """A code that a person waits for, who asked for it in their own app a moment ago. It holds for ten minutes."""

    code: Annotated[Digits, discloses(Category.IDENTIFIER, "the code that proves that the number is theirs")]


class Sent(Disclosed):
    """What is kept of a message that a vendor took; the number and the words are not."""

    id: VendorId
    status: Status = None
    segments: Annotated[
        Segments | None, discloses(Category.OPERATIONAL, "how many messages the vendor counts it as")
    ] = None
    created_at: Annotated[AwareDatetime | None, discloses(Category.OPERATIONAL, "when the vendor took it")] = None


class MessageStatus(Disclosed):
    """A vendor's word on how far a message came."""

    id: VendorId
    status: Status = None
    code: Annotated[Code | None, discloses(Category.OPERATIONAL, "the vendor's code for what went wrong")] = None


class Reply(Disclosed):
    """What a person's answer means; what they wrote stays with the vendor."""

    id: Annotated[MessageId, discloses(Category.IDENTIFIER, "the vendor's id of the reply")]
    meaning: Annotated[Meaning | None, discloses(Category.APPOINTMENT, "what the reply comes down to")] = None


class ReplyText(Reply):
    """The same with the words, screened, for clinics that switched the feature `replies` on."""

    text: Annotated[Note | None, discloses(Category.FREE_TEXT, "what the person wrote")] = None


ACTIONS: Final = {
    "send_reminder": Exchange(SendReminder, Sent),
    "send_confirmation_request": Exchange(SendConfirmationRequest, Sent),
    "send_payment_link": Exchange(SendPaymentLink, Sent),
    "send_notice": Exchange(SendNotice, Sent),
    "send_code": Exchange(SendCode, Sent),
}
