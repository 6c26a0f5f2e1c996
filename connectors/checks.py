"""What a manifest, its code and its family must agree on. Each check returns nothing or raises RegistryError."""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from connectors.contract import Action, Callback, Content, Manifest
from connectors.manifest import WatchRule
from connectors.network import Network
from scopes.consent import Channel
from scopes.tracking import is_for_tracking, only_tracks, tracks


class RegistryError(Exception):
    """A folder that does not load: which file, which key in it, and what to do."""

    def __init__(self, file: Path, key: str, fix: str) -> None:
        """`file` may lie anywhere; the message gives its last four parts."""
        self.file, self.key, self.fix = file, key, fix
        super().__init__(f"{Path(*file.parts[-4:])}: {key}: {fix}")


def file_of(model: type) -> Path:
    """The file that a model is written in."""
    return Path(str(sys.modules[model.__module__].__file__))


def check_strays(folder: Path, client: ModuleType, manifest: Manifest) -> None:
    for name, made in inspect.getmembers(client, inspect.iscoroutinefunction):
        if not name.startswith("_") and made.__module__ == client.__name__ and name not in manifest.actions:
            raise RegistryError(
                folder / "manifest.toml", f"actions.{name}", "in client.py but not declared; add or rename it"
            )


def check_features(folder: Path, manifest: Manifest, callback: Callback | None) -> None:
    """Each action belongs to exactly one feature: what a clinic switches on is what it gets."""
    file = folder / "manifest.toml"
    seen: set[str] = set()
    for name, feature in manifest.features.items():
        for action in feature.actions:
            if action not in manifest.actions:
                raise RegistryError(
                    file, f"features.{name}.actions", f"names {action!r}, which [actions] does not have"
                )
            if action in seen:
                raise RegistryError(file, f"features.{name}.actions", f"{action!r} is in another feature already")
            seen.add(action)
        for event in feature.events:
            if callback is None or event not in callback.EVENTS:
                raise RegistryError(
                    file, f"features.{name}.events", f"names {event!r}, which callback.py does not have"
                )
    for action in manifest.actions.keys() - seen:
        raise RegistryError(file, f"actions.{action}", "no feature names it; add it to one")


def check_scopes(folder: Path, manifest: Manifest) -> None:
    """Every provider scope that is named is declared; every declared one serves an action, itself or by inclusion."""
    file, declared = folder / "manifest.toml", manifest.provider_scopes
    useful: set[str] = set()
    for name, action in manifest.actions.items():
        for group in action.provider_scopes:
            if not group:
                raise RegistryError(file, f"actions.{name}.provider_scopes", "an empty group is never met; take it out")
            useful.update(group)
    for name in useful - declared.keys():
        raise RegistryError(file, f"provider_scopes.{name}", "an action names it; declare it with a title")
    for name, scope in declared.items():
        for inner in set(scope.includes) - declared.keys():
            raise RegistryError(file, f"provider_scopes.{name}.includes", f"names {inner!r}, which is not declared")
    while grown := {name for name, scope in declared.items() if name not in useful and useful & set(scope.includes)}:
        useful |= grown
    for name in declared.keys() - useful:
        raise RegistryError(file, f"provider_scopes.{name}", "no action needs it or anything it includes; take it out")


def check_agreements(folder: Path, manifest: Manifest) -> None:
    """A service that an action names can be covered, and an action that must be covered says by what."""
    file, services = folder / "manifest.toml", manifest.agreements.services
    for name, action in manifest.actions.items():
        if action.service is not None and action.service not in services:
            raise RegistryError(file, f"actions.{name}.service", "agreements.services does not have it; add it there")
        if action.service is None and services and manifest.needs_agreement(action):
            raise RegistryError(file, f"actions.{name}.service", "name which of agreements.services it uses")


def check_messages(folder: Path, action: Action) -> None:
    """A message says on which channel it reaches a person, and nothing else goes out over a channel for messages."""
    file, model = folder / "manifest.toml", action.shape.model.__name__
    if action.message and action.channel is None:
        raise RegistryError(
            file, f"actions.{action.name}.channel", f"{model} is a Message; name the channel that it goes out on"
        )
    if action.channel in (Channel.SMS, Channel.WHATSAPP) and not action.message:
        raise RegistryError(
            file,
            f"actions.{action.name}.channel",
            f"derive {model} from Message: over {action.channel} go templates only",
        )


def check_places(folder: Path, manifest: Manifest) -> None:
    """No connector goes to a place of advertising or tracking, or asks for a permission for it; no clinic can allow that."""
    file, base = folder / "manifest.toml", manifest.api_base
    for host in manifest.hosts:
        if only_tracks(host):
            raise RegistryError(file, "hosts", f"{host!r} is for advertising or tracking, which is refused everywhere")
    if tracks(base.host or "", f"{base.path or ''}/-"):
        raise RegistryError(file, "api_base", "is for advertising or tracking, which is refused everywhere")
    for name in manifest.provider_scopes:
        if is_for_tracking(name):
            key = f"provider_scopes.{name}"
            raise RegistryError(file, key, "is a permission for advertising or tracking, which is refused everywhere")


def check_network(folder: Path, network: Network | None) -> None:
    """A network's module offers all that flows ask of it, each function with the parameters that they give it."""
    if network is None:
        return
    file = folder / "network.py"
    if not isinstance(getattr(network, "PREFIX", None), str):
        raise RegistryError(file, "PREFIX", "say below which path the network calls, such as '/abdm'")
    for name, promised in inspect.getmembers(Network, inspect.isfunction):
        if name.startswith("_"):
            continue
        offered = getattr(network, name, None)
        expected = list(inspect.signature(promised).parameters)[1:]
        if not inspect.isfunction(offered) or list(inspect.signature(offered).parameters) != expected:
            raise RegistryError(file, name, f"write `def {name}({', '.join(expected)})`, as connectors/network.py says")


def check_certificates(folder: Path, manifest: Manifest, callback: Callback | None) -> None:
    """Whoever has a vendor encrypt to us can open what it then says."""
    for name, action in manifest.actions.items():
        if action.certificate and not callable(getattr(callback, "unsealed", None)):
            fix = "callback.py must offer `unsealed(raw_body, private_keys)` to open what is encrypted to it"
            raise RegistryError(folder / "manifest.toml", f"actions.{name}.certificate", fix)


def check_watches(folder: Path, manifest: Manifest, actions: Mapping[str, Action], callback: Callback | None) -> None:
    """What a watch names is there: its actions, their fields, the events; and a purpose that all of them have."""
    file, known = folder / "manifest.toml", set(callback.EVENTS) if callback is not None else set()
    for name, rule in manifest.watches.items():
        key = f"watches.{name}"
        for action in rule.actions:
            if action not in actions:
                raise RegistryError(file, key, f"names the action {action!r}, which [actions] does not have")
        for event in (rule.changed, *rule.missed, *rule.renewed_on, *rule.ended):
            if event not in known:
                raise RegistryError(file, key, f"names the event {event!r}, which callback.py does not have")
        if not frozenset.intersection(*(actions[each].purposes for each in rule.actions)):
            raise RegistryError(file, key, "its actions have no purpose in common")
        for where, fields in _fields_of(rule, actions).items():
            for field in fields:
                raise RegistryError(
                    file, f"{key}.{where}", f"names the field {field!r}, which its action does not have"
                )


def _fields_of(rule: WatchRule, actions: Mapping[str, Action]) -> dict[str, set[str]]:
    """The fields that a watch names and its actions do not have, by the part of the rule."""
    asked = {each: {field.name for field in actions[each].shape.fields} for each in rule.actions}
    told = {each: {field.name for field in actions[each].answer.fields} for each in rule.actions}
    renewing = asked[rule.renew] if rule.renew is not None else set(rule.lasts)
    whole = {rule.whole} if rule.whole is not None else set()
    return {
        "lasts": set(rule.lasts) - (asked[rule.start] & renewing),
        "id": {rule.id, rule.ends} - told[rule.start],
        "answered": (set(rule.answered) - asked[rule.stop]) | (set(rule.answered.values()) - told[rule.start]),
        "sync": (set(rule.goes_on) | set(rule.remembers)) - asked[rule.sync],
        "items": ({rule.items, *rule.goes_on.values(), *rule.remembers.values()} | whole) - told[rule.sync],
    }


def check_content(action: Action, content: Content) -> None:
    """No action says more than its family's recipients may be told."""
    file = file_of(action.shape.model)
    for leaf in action.shape.walk():
        key = f"{action.shape.model.__name__}.{leaf.path}"
        if leaf.category not in content.categories:
            raise RegistryError(file, key, f"category {leaf.category} is not for this family. {content.why}")
        if leaf.required and leaf.category in content.optional:
            raise RegistryError(file, key, f"category {leaf.category} must be optional. {content.why}")
