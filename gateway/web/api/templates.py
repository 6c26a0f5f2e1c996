"""/v1/templates: the clinic's own texts for messages. Registered, listed, removed, and shown beforehand with values."""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import NotFound
from gateway.flows.template import Wish, WishedSlot, WishedVendor, register, show
from gateway.web.api.answers import Fault
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import PageQuery
from gateway.web.api.operation import Asked, Operation, Reply
from gateway.web.api.template_answers import (
    PreviewAnswer,
    TemplateAnswer,
    TemplatePage,
    TemplatesAnswer,
    parameters_of,
    placeholder_of,
    told,
)
from gateway.web.api.template_bodies import NarrowQuery, PreviewBody, TemplateBody, WhatsappBody
from scopes.dlt import Registration
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.TEMPLATES, Verb.READ)
_WRITE: Final = Scope(Area.TEMPLATES, Verb.WRITE)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


async def put(asked: Asked) -> Reply:
    """Register a text."""
    row = await register(asked.actor, _wish(_name(asked), asked.body), asked.rooms)
    return Reply(told(row, asked.rooms.registry))


async def page(asked: Asked) -> Reply:
    """The texts in use."""
    query: PageQuery = asked.query
    rows = await asked.rooms.templates.page(asked.tenant, after=after_id(query.cursor), limit=query.limit + 1)
    items, cursor = next_cursor(rows, query.limit, lambda row: row.id)
    return Reply(TemplatePage(items=[told(row, asked.rooms.registry) for row in items], next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """The texts of one name."""
    rows = await asked.rooms.templates.of_name(asked.tenant, _name(asked))
    return Reply(TemplatesAnswer(items=[told(row, asked.rooms.registry) for row in rows]))


async def remove(asked: Asked) -> Reply:
    """Take texts out of use."""
    query: NarrowQuery = asked.query
    await asked.rooms.templates.remove(asked.actor, _name(asked), channel=query.channel, language=query.language)
    return Reply()


async def preview(asked: Asked) -> Reply:
    """Show a text; nothing is stored."""
    body: PreviewBody = asked.body
    shown = show(_wish("the text", body), body.values, asked.rooms)
    said = shown.wording
    return Reply(
        PreviewAnswer(
            text=said.text if said is not None else None,
            length=len(said.text) if said is not None else None,
            encoding=said.encoding if said is not None else None,
            segments=said.segments if said is not None else None,
            parameters=parameters_of(said) if said is not None else [],
            placeholders=[placeholder_of(gap, field) for gap, field in shown.gaps],
            faults=[Fault(path=fault.path, message=fault.message) for fault in shown.faults],
        )
    )


def _name(asked: Asked) -> str:
    """The name in the path; one of another form is nobody's."""
    name = str(asked.path["name"])
    if not _NAME.fullmatch(name):
        raise NotFound(
            "there is no template of this name",
            fix="A name has small letters, digits and underscores, such as reminder. GET /v1/templates lists them.",
        )
    return name


def _wish(name: str, body: TemplateBody) -> Wish:
    vendor = body.whatsapp
    return Wish(
        name=name,
        action=body.action,
        channel=body.channel,
        language=body.language,
        body=body.body,
        at_vendor=_vendor(vendor) if vendor is not None else None,
        dlt=Registration(**body.dlt.model_dump()) if body.dlt is not None else None,
    )


def _vendor(body: WhatsappBody) -> WishedVendor:
    given = body.parameters
    slots = None if given is None else tuple(WishedSlot(**parameter.model_dump()) for parameter in given)
    return WishedVendor(name=body.name, language=body.language, slots=slots)


OPERATIONS = (
    Operation(
        method="GET", path="/v1/templates", summary="List the clinic's own texts for messages", act=page, needs=_READ,
        query=PageQuery, answer=TemplatePage,
    ),
    Operation(
        method="POST", path="/v1/templates/preview", act=preview, needs=_READ, body=PreviewBody, answer=PreviewAnswer,
        summary="Show what a text would say and cost, and every fault in it; nothing is stored",
    ),
    Operation(
        method="GET", path="/v1/templates/{name}", summary="Read the texts of one name", act=read, needs=_READ,
        answer=TemplatesAnswer, problems=(404,),
    ),
    Operation(
        method="PUT", path="/v1/templates/{name}", act=put, needs=_WRITE, body=TemplateBody, answer=TemplateAnswer,
        summary="Register a text for one action, channel and language, in place of the one before", problems=(404, 409),
    ),
    Operation(
        method="DELETE", path="/v1/templates/{name}", summary="Take the texts of one name out of use, in force at once",
        act=remove, needs=_WRITE, query=NarrowQuery, status=204, problems=(404,),
    ),
)  # fmt: skip
