"""Read one connector's folder: its manifest, its models, its coroutines, its callback. Knows no other folder.

Whatever does not fit is a RegistryError that names the file, the key and what to do. Vendors' SDKs are not imported.
"""

import hashlib
import importlib
import inspect
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final, cast

from pydantic import ValidationError

import connectors
from connectors.checks import (
    RegistryError,
    check_agreements,
    check_certificates,
    check_content,
    check_features,
    check_messages,
    check_network,
    check_places,
    check_scopes,
    check_strays,
    check_watches,
    file_of,
)
from connectors.contract import (
    Action,
    Callback,
    Content,
    Envelope,
    Exchange,
    Handshake,
    Manifest,
    Rejected,
    Unsealing,
    VendorAnswer,
)
from connectors.network import Network
from scopes.agreement import Need
from scopes.field import Disclosed, Shape, ShapeError, shape_of
from scopes.provider import Lattice, LatticeError, ProviderScope, Scheme
from scopes.vocabulary import CredentialKind

HERE: Final = Path(connectors.__file__).parent


@dataclass(frozen=True)
class Connector:
    """One recipient, complete and frozen."""

    id: str
    manifest: Manifest
    actions: Mapping[str, Action]
    lattice: Lattice
    callback: Callback | None
    folder: Path
    handshake: Handshake | None = None
    envelope: Envelope | None = None
    unsealed: Unsealing | None = None
    content: Content | None = None
    network: Network | None = None
    """What the folder of a network of health records offers besides."""
    package: str = field(repr=False, default="")

    @property
    def family(self) -> str:
        """The family that it belongs to."""
        return self.manifest.family

    def module(self, name: str) -> ModuleType:
        """Another module of the folder, such as `sandbox`, imported now. Production code asks for none."""
        return importlib.import_module(f"{self.package}.{name}")


def read_folder(root: Path, folder: Path) -> Connector:
    """The connector in `folder`, which lies below `root`. Raises RegistryError."""
    package = f"{package_of(root)}.{'.'.join(folder.relative_to(root).parts)}"
    manifest = _manifest(folder, "/".join(folder.relative_to(root).parts))
    exchanges, content = _models(root, folder, package)
    client = _module(folder, package, "client")
    callback = cast("Callback", _module(folder, package, "callback")) if manifest.callback else None
    network = _network(folder, package, manifest)
    check_features(folder, manifest, callback)
    check_scopes(folder, manifest)
    check_agreements(folder, manifest)
    check_places(folder, manifest)
    check_strays(folder, client, manifest)
    check_network(folder, network)
    actions = {name: _action(folder, manifest, client, name, exchanges) for name in manifest.actions}
    for action in actions.values():
        check_messages(folder, action)
        if content:
            check_content(action, content)
    check_watches(folder, manifest, actions, callback)
    check_certificates(folder, manifest, callback)
    return Connector(
        id=manifest.id,
        manifest=manifest,
        actions=MappingProxyType(actions),
        lattice=_lattice(folder, manifest),
        callback=callback,
        handshake=getattr(callback, "handshake", None),
        envelope=getattr(callback, "envelope", None),
        unsealed=getattr(callback, "unsealed", None),
        folder=folder,
        content=content,
        network=network,
        package=package,
    )


def _network(folder: Path, package: str, manifest: Manifest) -> Network | None:
    """The module that knows a network's form, where the recipient is one: whose session is the gateway's must have it."""
    if manifest.credential.session is None and not (folder / "network.py").is_file():
        return None
    return cast("Network", _module(folder, package, "network"))


def package_of(root: Path) -> str:
    """The package that a root's folders are imported under: `connectors`, or a name made for another root."""
    if root.resolve() == HERE.resolve():
        return "connectors"
    name = f"connectors_in_{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(root.resolve())]
        sys.modules[name] = package
        importlib.invalidate_caches()
    return name


def _manifest(folder: Path, connector_id: str) -> Manifest:
    file = folder / "manifest.toml"
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(file, "(whole file)", f"not readable as TOML: {error}") from None
    if "id" in written:
        raise RegistryError(file, "id", "take it out; the folder's place is the id")
    try:
        return Manifest.model_validate({"id": connector_id, **written})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        fix = "unknown key, take it out" if first["type"] == "extra_forbidden" else str(first["msg"])
        raise RegistryError(file, key, fix) from None


def _models(root: Path, folder: Path, package: str) -> tuple[dict[str, Exchange], Content | None]:
    """The models by action name: the vendor's own first, else its family's; and what the family may be told."""
    found: dict[str, Exchange] = {}
    content: Content | None = None
    for file, name in _model_files(root, folder, package):
        module = _module(file.parent, name, "actions")
        declared = getattr(module, "ACTIONS", None)
        if not isinstance(declared, Mapping) or not all(isinstance(each, Exchange) for each in declared.values()):
            raise RegistryError(file, "ACTIONS", "must map action names to Exchange(request, answer)")
        found.update(declared)
        content = content or getattr(module, "CONTENT", None)  # the family's stands; a vendor can't widen it
    if not found:
        raise RegistryError(folder / "actions.py", "ACTIONS", "no actions.py in the folder or in its family")
    return found, content


def _model_files(root: Path, folder: Path, package: str) -> list[tuple[Path, str]]:
    """The files that declare models, the family's first so that a vendor's own wins."""
    family = folder.relative_to(root).parts[0]
    places = [
        (HERE / family, f"connectors.{family}"),
        (root / family, f"{package_of(root)}.{family}"),
        (folder, package),
    ]
    unique = {place.resolve(): name for place, name in places if (place / "actions.py").is_file()}
    return [(place / "actions.py", name) for place, name in unique.items()]


def _module(folder: Path, package: str, name: str) -> ModuleType:
    if not (folder / f"{name}.py").is_file():
        raise RegistryError(folder / f"{name}.py", "(file)", "missing; the manifest needs it")
    try:
        return importlib.import_module(f"{package}.{name}")
    except ShapeError as error:
        raise RegistryError(folder / f"{name}.py", "(models)", f"a shape is open: {error}") from error
    except Exception as error:  # whatever a folder's code does when it is imported, the others are told which folder
        raise RegistryError(folder / f"{name}.py", "(import)", f"{type(error).__name__}: {error}") from error


def _action(
    folder: Path, manifest: Manifest, client: ModuleType, name: str, exchanges: Mapping[str, Exchange]
) -> Action:
    if name not in exchanges:
        raise RegistryError(
            folder / "manifest.toml", f"actions.{name}", "no request model; add it to ACTIONS in actions.py"
        )
    exchange, entry = exchanges[name], manifest.actions[name]
    return Action(
        connector=manifest.id,
        name=name,
        feature=next(feature for feature, rule in manifest.features.items() if name in rule.actions),
        shape=_shape(exchange.request),
        answer=_shape(exchange.answer),
        purposes=frozenset(entry.purposes),
        provider_scopes=tuple(frozenset(group) for group in entry.provider_scopes),
        repeat=entry.repeat,
        channel=entry.channel,
        service=entry.service,
        agreement=Need.ALWAYS if manifest.needs_agreement(entry) else Need.NEVER,
        perform=_elsewhere if entry.elsewhere else _perform(folder / "client.py", client, name, exchange),
        manifest=manifest,
        inner=entry.inner,
        requested=entry.requested,
        elsewhere=entry.elsewhere,
    )


def _shape(model: type[Disclosed]) -> Shape:
    try:
        return shape_of(model)
    except ShapeError as error:
        raise RegistryError(file_of(model), model.__name__, f"a shape is open: {error}") from error


async def _elsewhere(fields: Any, egress: Any) -> VendorAnswer:
    """What stands in for the coroutine of an action that a flow makes. Raises Rejected: nothing leaves by this way."""
    raise Rejected("made_by_a_flow")


def _perform(file: Path, client: ModuleType, name: str, exchange: Exchange) -> Any:
    perform = getattr(client, name, None)
    if not inspect.iscoroutinefunction(perform):
        raise RegistryError(
            file, name, f"write `async def {name}(fields: {exchange.request.__name__}, egress: Egress)`"
        )
    parameters = inspect.signature(perform, eval_str=True).parameters
    if list(parameters) != ["fields", "egress"] or parameters["fields"].annotation is not exchange.request:
        raise RegistryError(file, name, f"must take (fields: {exchange.request.__name__}, egress: Egress)")
    return perform


def _lattice(folder: Path, manifest: Manifest) -> Lattice:
    # An application's own scopes are marked as such in the manifest.
    scheme: Scheme = "key" if manifest.credential.kind is CredentialKind.API_KEY else "delegated"
    scopes = [ProviderScope.parse(name, scheme=scheme) for name in manifest.provider_scopes]
    edges = [(name, inner) for name, scope in manifest.provider_scopes.items() for inner in scope.includes]
    try:
        return Lattice(scopes, edges)
    except LatticeError as error:
        raise RegistryError(folder / "manifest.toml", "provider_scopes", str(error)) from error
