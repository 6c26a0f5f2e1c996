"""Find the clinic's own text for one message and fill it with what may leave. Decides nothing; the decision weighs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from connectors.contract import Action, Message
from gateway.connections import Clinic
from gateway.flows.rooms import Rooms
from gateway.spelling import CldrSpelling
from scopes.consent import Channel
from scopes.decision import Standing
from scopes.dlt import is_indian
from scopes.template import Template, Unfilled, fill
from scopes.wording import Unworded, Wording

SPELLING: Final = CldrSpelling()
_REGISTER: Final = "Register the clinic's text for it with PUT /v1/templates/{name}."


async def worded(standing: Standing, action: Action, model: Message, clinic: Clinic, rooms: Rooms) -> Standing:
    """The standing with what the message says, or with what is missing."""
    templates = await rooms.templates.present(clinic)
    found = chosen(templates, action, name=model.template, language=model.language)
    said = filled(found, model) if isinstance(found, Template) else found
    return replace(standing, unworded=said) if isinstance(said, Unworded) else replace(standing, wording=said)


def filled(template: Template, model: Message) -> Wording | Unworded:
    """What a template says to one person; over SMS to India, only as it is registered there."""
    registered = template.channel is Channel.SMS and is_indian(model.phone)
    try:
        return fill(template, model, SPELLING, registered=registered)
    except Unfilled as unfilled:
        fix = "Register the text anew with PUT /v1/templates/{name}, or send what it has room for."
        return Unworded(f"{template.name}: {unfilled}", fix)


def chosen(
    templates: Sequence[Template], action: Action, *, name: str | None, language: str | None
) -> Template | Unworded:
    """The clinic's text for a message: the one that is named or the action's own, in the language that comes closest."""
    own = action.name.removeprefix("send_")
    named = [template for template in templates if template.name == (name or own)]
    if not named:
        # What was asked for is not repeated: it may be anything.
        return Unworded(own if name is None else "the named template", _REGISTER)
    fitting = [each for each in named if each.action == family_action(action) and each.channel is action.channel]
    if not fitting:
        return Unworded(f"{named[0].name}: for another action or channel", _REGISTER)
    by_language = {template.language: template for template in fitting}
    for tag in _closest(language):
        if tag in by_language:
            return by_language[tag]
    if len(fitting) == 1:
        return fitting[0]
    return Unworded(f"{named[0].name}: not in this language", f"Name one of its languages: {', '.join(by_language)}.")


def family_action(action: Action) -> str:
    """The action as texts name it, whichever vendor of the family carries it."""
    return f"{action.manifest.family}/{action.name}"


def _closest(language: str | None) -> list[str]:
    """A language, then what it is a kind of: zh-Hant-TW, zh-Hant, zh."""
    parts = language.split("-") if language is not None else []
    return ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]
