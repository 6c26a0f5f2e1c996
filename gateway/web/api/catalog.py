"""GET /v1/catalog: what can be switched on, and what would leave. Says nothing about any clinic."""

from __future__ import annotations

from connectors.contract import Action
from connectors.oauth import OAuthRule
from connectors.registry import Connector
from gateway.web.api.answers import (
    ActionAnswer,
    AgreementNeed,
    CatalogAnswer,
    ConnectorAnswer,
    FeatureAnswer,
    FieldAnswer,
    OAuthAnswer,
    RecipientAnswer,
)
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.field import Shape
from scopes.scope import Area, Scope, Verb


async def read(asked: Asked) -> Reply:
    """Every connector with its features, actions and fields."""
    connectors = asked.rooms.registry.connectors.values()
    return Reply(CatalogAnswer(connectors=[_connector(connector) for connector in connectors]))


def _connector(connector: Connector) -> ConnectorAnswer:
    manifest = connector.manifest
    agreements = manifest.agreements
    return ConnectorAnswer(
        id=connector.id,
        title=manifest.title,
        recipient=_recipient(connector),
        agreements=AgreementNeed(needed=agreements.needed, services=list(agreements.services), why=agreements.why),
        credential=[form.title for form in manifest.credential.accepts],
        oauth=_oauth(manifest.credential.oauth),
        account=manifest.credential.account_title,
        settings={name: setting.title for name, setting in manifest.settings.items()},
        provider_scopes={name: scope.title for name, scope in manifest.provider_scopes.items()},
        watches={name: rule.title for name, rule in manifest.watches.items()},
        features=[
            FeatureAnswer(
                name=name,
                title=feature.title,
                why=feature.why,
                actions=list(feature.actions),
                events=list(feature.events),
            )
            for name, feature in manifest.features.items()
        ],
        actions=[_action(action) for action in connector.actions.values()],
    )


def _recipient(connector: Connector) -> RecipientAnswer:
    recipient = connector.manifest.recipient
    return RecipientAnswer(
        legal_name=recipient.legal_name,
        role=str(recipient.role),
        country=recipient.country,
        regions=list(recipient.regions),
        transfer=recipient.transfer,
        privacy_url=str(recipient.privacy_url),
        subprocessors_url=str(recipient.subprocessors_url) if recipient.subprocessors_url else None,
    )


def _oauth(rule: OAuthRule | None) -> OAuthAnswer | None:
    if rule is None:
        return None
    return OAuthAnswer(flow=rule.flow, admin_note=rule.admin_note, not_undone=rule.not_undone)


def _action(action: Action) -> ActionAnswer:
    return ActionAnswer(
        name=action.name,
        feature=action.feature,
        purposes=sorted(map(str, action.purposes)),
        provider_scopes=[sorted(group) for group in action.provider_scopes],
        repeat=str(action.repeat),
        channel=action.channel,
        message=action.message,
        inner=action.inner,
        fields=fields_of(action.shape),
        answer=fields_of(action.answer),
        scope=str(Scope(Area.CALLS, Verb.WRITE, tuple(action.path.split("/")))),
    )


def fields_of(shape: Shape) -> list[FieldAnswer]:
    """Every field of a shape, as the API tells it."""
    return [
        FieldAnswer(
            path=leaf.path,
            category=leaf.category,
            why=leaf.why,
            reduction=leaf.reduction,
            required=leaf.path in shape.required_paths,
        )
        for leaf in shape.walk()
    ]


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/catalog",
        summary="What can be switched on: connectors, features, actions and their fields",
        act=read,
        needs=Scope(Area.CATALOG, Verb.READ),
        answer=CatalogAnswer,
    ),
)
