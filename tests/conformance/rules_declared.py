"""What a folder declares: the manual, the fields, the credential, the opaque ids."""

from typing import Any

import pytest

from connectors.contract import CredentialRefused
from connectors.example import example_of
from connectors.folder import Connector
from connectors.review import review
from scopes.field import Shape
from scopes.minimize import InvalidPayload, minimize
from scopes.vocabulary import Category
from tests.conformance.harness import CANARY

PERSONAL = (
    "Jane Roe",
    "jane.roe@example.org",
    "+15551234567",
    "4111111111111111",
    "234123412346",
    "MRN 0012345",
    "Müller",
    "12 Main Street",
    "pat_JaneElizabethRoe",
    "../../v1/customers",
    "x?expand[]=customer",
    "x\r\nX-Injected: 1",
)


def rule_the_folder_is_whole(connector: Connector) -> None:
    findings = [str(finding) for finding in review(connector)]
    assert not findings, "\n".join(findings)


def rule_every_field_says_what_it_is_and_why(connector: Connector) -> None:
    for action in connector.actions.values():
        for shape in (action.shape, action.answer):
            assert shape.fields, f"{shape.model.__name__} declares nothing"
            for leaf in shape.nodes():
                assert leaf.category in Category
                assert len(leaf.why.split()) >= 2, f"{shape.model.__name__}.{leaf.path} says too little"


def rule_the_sandbox_credential_has_an_accepted_form(connector: Connector) -> None:
    credential = connector.manifest.credential
    if credential.oauth is not None or credential.session is not None:
        return  # rules_oauth.py and rules_network.py try those
    credential.check(connector.module("sandbox").CREDENTIAL)
    for wrong in ("", "x", CANARY, "Bearer x", "é", "a b\r\n"):
        with pytest.raises(CredentialRefused) as refused:
            credential.check(wrong)
        assert CANARY not in str(refused.value)


def rule_identifiers_are_opaque_where_the_family_says_so(connector: Connector) -> None:
    if not (connector.content and connector.content.opaque_identifiers):
        return
    for action in connector.actions.values():
        for leaf in action.shape.walk():
            if leaf.category is not Category.IDENTIFIER:
                continue
            for personal in PERSONAL:
                payload = _replaced(action.shape, leaf.path, personal)
                with pytest.raises(InvalidPayload) as refused:
                    minimize(action.shape, payload)
                assert personal not in str(refused.value)


def _replaced(shape: Shape, path: str, value: Any) -> dict[str, Any]:
    payload = example_of(shape)
    here: Any = payload
    *groups, last = path.replace("[]", "").split(".")
    for group in groups:
        here = here[group][0] if isinstance(here[group], list) else here[group]
    here[last] = [value] if isinstance(here[last], list) else value
    return payload
