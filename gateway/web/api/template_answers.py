"""What callers are told about texts for messages. What they send is in template_bodies.py."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from connectors.registry import Registry
from gateway.flows.template import gaps_of
from gateway.store.templates import TemplateRow
from gateway.web.api.answers import Fault, Told
from scopes.consent import Channel
from scopes.field import Field as Declared
from scopes.template import AMOUNT, Gap
from scopes.vocabulary import Category
from scopes.wording import Encoding, Wording


class PlaceholderAnswer(Told):
    """One gap of a text, and the declared field that fills it."""

    placeholder: str
    path: str
    category: Category
    why: str
    required: bool


class DltAnswer(Told):
    """What an Indian operator knows a text by."""

    entity_id: str
    header: str
    template_id: str
    text: str


class VendorParameterAnswer(Told):
    """One placeholder of the template at the vendor."""

    component: str
    kind: str
    placeholder: str
    base: str


class WhatsappAnswer(Told):
    """The template at the vendor."""

    name: str
    language: str
    parameters: list[VendorParameterAnswer]


class TemplateAnswer(Told):
    """One text in one language for one channel."""

    id: UUID
    name: str
    version: int = Field(description="Of the name, whatever the channel and language; never used again.")
    action: str
    channel: Channel
    language: str
    body: str
    placeholders: list[PlaceholderAnswer]
    dlt: DltAnswer | None
    whatsapp: WhatsappAnswer | None
    changed_at: datetime


class TemplatesAnswer(Told):
    """The texts of one name."""

    items: list[TemplateAnswer]


class TemplatePage(Told):
    """A page of texts, the longest unchanged first."""

    items: list[TemplateAnswer]
    next_cursor: str | None


class ParameterAnswer(Told):
    """One value that the vendor's template would get."""

    component: str
    kind: str
    text: str
    path: str


class PreviewAnswer(Told):
    """What a text would say and cost; null where it cannot say anything yet."""

    text: str | None
    length: int | None
    encoding: Encoding | None
    segments: int | None
    parameters: list[ParameterAnswer]
    placeholders: list[PlaceholderAnswer]
    faults: list[Fault]


def told(row: TemplateRow, registry: Registry) -> TemplateAnswer:
    """A stored text, as the API tells it."""
    return TemplateAnswer(
        id=row.id,
        name=row.name,
        version=row.version,
        action=row.action,
        channel=Channel(row.channel),
        language=row.language,
        body=row.body,
        placeholders=[placeholder_of(gap, field) for gap, field in gaps_of(row, registry)],
        dlt=DltAnswer(**row.dlt) if row.dlt is not None else None,
        whatsapp=WhatsappAnswer.model_validate(row.whatsapp) if row.whatsapp is not None else None,
        changed_at=row.changed_at,
    )


def placeholder_of(gap: Gap, field: Declared) -> PlaceholderAnswer:
    """A gap, as the API tells it."""
    return PlaceholderAnswer(
        placeholder=str(gap),
        path=field.path if gap.name != AMOUNT else "amount_minor",
        category=field.category,
        why=field.why,
        required=gap.otherwise is None,
    )


def parameters_of(wording: Wording) -> list[ParameterAnswer]:
    """What a vendor's template gets, as the API tells it."""
    return [
        ParameterAnswer(component=each.component, kind=each.kind, text=each.text, path=each.path)
        for each in wording.parameters
    ]
