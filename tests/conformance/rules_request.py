"""What leaves: to whom, under which key, and nothing that was not declared."""

from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import httpx2

from connectors.contract import Action, ConnectorError, Message
from connectors.example import example_of
from connectors.folder import Connector
from scopes.minimize import InvalidPayload, minimize
from scopes.vocabulary import Repeat
from tests.conformance.harness import (
    CANARY,
    KEY,
    CapturingEgress,
    carried,
    everything_sent,
    payloads,
    performed,
    said,
    spellings,
    with_canaries,
)


async def rule_requests_go_only_to_named_hosts(connector: Connector) -> None:
    for action in carried(connector):
        for payload in payloads(action):
            egress = await _sent(action, payload)
            assert egress.requests, f"{action.name} sends nothing"
            for request in (*egress.preludes, *egress.requests):
                assert request.url.scheme == "https"
                assert request.url.host in connector.manifest.hosts
                assert not request.url.userinfo


async def rule_no_connector_adds_a_credential(connector: Connector) -> None:
    apply = connector.manifest.credential.apply
    header = apply.removeprefix("header:") if apply.startswith("header:") else "authorization"
    for action in carried(connector):
        egress = await _sent(action, example_of(action.shape))
        for request in (*egress.preludes, *egress.requests):
            assert header.lower() not in request.headers, f"{action.name} sets {header}; the door does that"


async def rule_writes_that_may_be_repeated_carry_the_idempotency_key(connector: Connector) -> None:
    for action in carried(connector):
        if action.repeat is not Repeat.ALWAYS:
            continue
        first = (await _sent(action, example_of(action.shape))).requests
        again = (await _sent(action, example_of(action.shape))).requests
        for request, repeated in zip(first, again, strict=True):
            assert everything_sent([request]) == everything_sent([repeated]), f"{action.name} differs when repeated"
            if request.method not in ("GET", "HEAD"):
                assert KEY in everything_sent([request]), f"{action.name} leaves the idempotency key out"


async def rule_what_is_not_declared_never_leaves(connector: Connector) -> None:
    for action in carried(connector):
        egress = await _sent(action, with_canaries(action.shape))
        sent = everything_sent(egress.requests)
        for number in range(400):
            for spelling in spellings(f"{CANARY}{number}"):
                assert spelling not in sent, f"{action.name} let an undeclared value out"


async def rule_what_the_clinic_withholds_never_leaves(connector: Connector) -> None:
    for action in carried(connector):
        example = example_of(action.shape)
        optional = [leaf for leaf in action.shape.fields if not leaf.required and leaf.shape is None]
        for leaf in optional:
            try:
                model = minimize(action.shape, example, frozenset({leaf.path})).model
            except InvalidPayload:
                continue  # the action makes no sense without it: nothing leaves at all
            egress = CapturingEgress(connector.manifest)
            await _quietly(action, model, egress)
            value = example[leaf.name]
            if isinstance(value, str) and sum(held == value for held in example.values()) == 1 and len(value) > 12:
                assert value not in everything_sent(egress.requests)
                assert not spellings(value) & {pair for request in egress.requests for pair in _form_values(request)}


async def rule_a_message_says_what_its_template_says_and_nothing_else(connector: Connector) -> None:
    for action in carried(connector):
        if not action.message:
            continue
        model = minimize(action.shape, example_of(action.shape)).model
        words = said(action, model)
        assert words is not None
        egress = CapturingEgress(action.manifest, wording=replace(words, text=f"{CANARY} said", parameters=()))
        with suppress(ConnectorError):
            await action.perform(model, egress)
        sent = unquote_plus(everything_sent(egress.requests))
        assert f"{CANARY} said" in sent or str(words.vendor_name) in sent, f"{action.name} leaves the wording out"
        for leaf in action.shape.walk():
            value = getattr(model, leaf.name)
            if leaf.name not in Message.model_fields and isinstance(value, str) and len(value) > 4:
                assert value not in sent, f"{action.name} sends {leaf.path} beside the wording"


async def _sent(action: Action, payload: dict[str, Any]) -> CapturingEgress:
    egress = CapturingEgress(action.manifest)
    await _quietly(action, minimize(action.shape, payload).model, egress)
    return egress


async def _quietly(action: Action, model: Any, egress: CapturingEgress) -> None:
    with suppress(ConnectorError):  # an empty answer says nothing; only what left counts here
        await performed(action, model, egress)


def _form_values(request: httpx2.Request) -> set[str]:
    return {value for _, value in parse_qsl(request.content.decode("utf-8", "replace"))}
