"""What callers send about texts for messages, checked at the border. What they are told is in template_answers.py."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from connectors.message import Language
from gateway.web.api.models import Given
from scopes.consent import Channel
from scopes.dlt import LONGEST_TEXT
from scopes.template import LONGEST_BODY

_BODY: Final = (
    "The text. A gap is a declared field: {given_name|there} with what is said where it is not there, {starts_at:date}, "
    "{starts_at:time}, {starts_at:datetime}, {amount}."
)
_EXAMPLE: Final = "Hi {given_name|there}, we expect you on {starts_at:date} at {starts_at:time}."
_ActionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}/[a-z][a-z0-9_]{0,63}$")]
_Component = Annotated[str, StringConstraints(pattern=r"^(header|body|button:[0-9])$")]
_Base = Annotated[str, StringConstraints(max_length=500, pattern=r"^(https://[!-~]+)?$")]
_Digits = Annotated[str, StringConstraints(max_length=40)]
_Body = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_BODY), Field(description=_BODY, examples=[_EXAMPLE])
]


class DltBody(Given):
    """India: the text as it is registered with an operator, and what it is known by."""

    entity_id: Annotated[_Digits, Field(description="The principal entity's id, 19 digits.")]
    header: Annotated[_Digits, Field(description="The sender: six letters, or six digits.")]
    template_id: Annotated[_Digits, Field(description="The content template's id, 19 digits.")]
    text: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_TEXT),
        Field(description="The registered text to the letter, with {#var#} for each variable."),
    ]


class ParameterBody(Given):
    """One placeholder of the template at the vendor."""

    component: Annotated[_Component, Field(examples=["body"])]
    kind: Literal["text", "currency", "date_time", "url"] = "text"
    placeholder: Annotated[str, StringConstraints(max_length=200), Field(examples=["{starts_at:date}"])]
    base: Annotated[_Base, Field(description="A button's fixed address; only what follows it is sent.")] = ""


class WhatsappBody(Given):
    """The template as it is approved at the vendor."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,512}$")]
    language: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(_[A-Za-z0-9]{2,4})?$"), Field(examples=["en_US"])
    ]
    parameters: Annotated[
        list[ParameterBody] | None, Field(max_length=30, description="By default the gaps of the body, in order.")
    ] = None


class TemplateBody(Given):
    """A text to register in place of the one of this name, channel and language."""

    action: Annotated[_ActionName, Field(examples=["messaging/send_reminder"])]
    channel: Channel
    language: Language
    body: _Body
    dlt: DltBody | None = None
    whatsapp: WhatsappBody | None = None


class PreviewBody(TemplateBody):
    """A text, and values to show it with."""

    values: Annotated[
        dict[str, Any] | None, Field(description="Values of the action's fields; by default all are invented.")
    ] = None


class NarrowQuery(Given):
    """Which texts of a name; by default all of them."""

    channel: Channel | None = None
    language: Language | None = None
