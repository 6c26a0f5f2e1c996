"""Connect to any vendor that takes a key, over HTTP, with all that its actions need before they may go. No fixtures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from connectors.contract import Action, Message
from connectors.example import example_of
from connectors.registry import Connector
from scopes.consent import Channel
from scopes.vocabulary import CredentialKind

SINCE = "2026-01-15T09:30:00Z"


def takes_a_key(connector: Connector) -> bool:
    """Whether a clinic connects by handing a key over; the others ask a person on the vendor's own page."""
    return connector.manifest.credential.kind is CredentialKind.API_KEY


async def connect(client: httpx2.AsyncClient, connector: Connector, *, subject: str, said: str) -> None:
    """Connect with every feature, sign what must be signed, and register a text and a consent for each message.

    `subject` is who agrees, `said` how they did.
    """
    manifest = connector.manifest
    free_text = {path for action in connector.actions.values() for path in action.shape.free_text_paths}
    body = {
        "connector": connector.id, "credential": {"secret": connector.module("sandbox").CREDENTIAL},
        "features": sorted(manifest.features), "free_text": sorted(free_text),
        "account": manifest.credential.account_example if manifest.credential.account_needed else None,
        "settings": {name: rule.example for name, rule in manifest.settings.items()},
    }  # fmt: skip
    made = await client.post("/v1/connections", json=body)
    assert made.status_code == 201, made.text
    if manifest.agreements.needed:
        signed = {"kind": "dpa", "services": list(manifest.agreements.services), "from": SINCE}
        assert (await client.put(f"/v1/agreements/{connector.id}", json=signed)).status_code == 200
    await agree(client, connector, subject=subject, said=said)


async def agree(client: httpx2.AsyncClient, connector: Connector, *, subject: str, said: str) -> None:
    """Register a text and a consent for each action that reaches a person."""
    for action in connector.actions.values():
        if action.message:
            await _worded(client, action)
        if action.channel is not None:
            await _consented(client, action, subject, said)


def payload_of(action: Action, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A payload that names the text which is there, where it names one that is not."""
    if action.message and payload.get("template") == example_of(action.shape)["template"]:
        return {**payload, "template": _text_of(action)}
    return payload


async def _worded(client: httpx2.AsyncClient, action: Action) -> None:
    """A text that says every word that may be said."""
    leaves = [leaf for leaf in action.shape.walk() if leaf.name not in Message.model_fields]
    named = [leaf.path for leaf in leaves if leaf.kind is str and not leaf.required]
    text: dict[str, Any] = {
        "action": f"{action.manifest.family}/{action.name}", "channel": str(action.channel), "language": "en",
        "body": f"Hello {' '.join(f'{{{path}|-}}' for path in named)}",
    }  # fmt: skip
    if action.channel is Channel.WHATSAPP:
        text["whatsapp"] = {"name": action.name, "language": "en"}
    made = await client.put(f"/v1/templates/{_text_of(action)}", json=text)
    assert made.status_code == 200, made.text


async def _consented(client: httpx2.AsyncClient, action: Action, subject: str, said: str) -> None:
    consent = {
        "subject": subject, "purposes": sorted(action.purposes), "channels": [str(action.channel)],
        "evidence": {"how": said, "when": SINCE, "wording": said},
    }  # fmt: skip
    made = await client.post("/v1/consents", json=consent)
    assert made.status_code == 201, made.text


def _text_of(action: Action) -> str:
    """The text that is sent where a call names none."""
    return action.name.removeprefix("send_")
