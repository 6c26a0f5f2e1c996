"""Find every connector's folder and answer for all of them. Keeps no list of names: a folder with a manifest is one."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from connectors.checks import RegistryError
from connectors.contract import Action
from connectors.folder import HERE, Connector, read_folder

__all__ = ["HERE", "Connector", "Registry", "RegistryError", "UnknownAction"]

_DEPTHS: Final = ("*/manifest.toml", "*/*/manifest.toml")


class UnknownAction(Exception):
    """Nothing goes by this name; `close` holds the names that look like it."""

    code = "unknown_action"

    def __init__(self, asked: str, close: tuple[str, ...] = (), hint: str = "") -> None:
        """`asked` is not repeated in the message: a caller may have put anything there."""
        self.asked, self.close = asked, close
        meant = f" Did you mean {' or '.join(close)}?" if close else ""
        super().__init__(f"No connector or action goes by this name.{meant}{hint}")


class Registry:
    """All connectors, validated and frozen."""

    def __init__(self, found: Iterable[Connector]) -> None:
        """Two folders of one id are refused by `load`."""
        connectors = {connector.id: connector for connector in sorted(found, key=lambda each: each.id)}
        self._connectors: Mapping[str, Connector] = MappingProxyType(connectors)
        self._families: dict[str, tuple[Connector, ...]] = {}
        for connector in connectors.values():
            self._families[connector.family] = (*self._families.get(connector.family, ()), connector)
        self._actions = {
            (name, action.name): action
            for name, connector in self._by_any_name().items()
            for action in connector.actions.values()
        }

    @classmethod
    def load(cls, roots: Iterable[Path] = (HERE,)) -> Self:
        """Every folder below the roots that holds a manifest.toml. Raises RegistryError for the first wrong one."""
        found: dict[str, Connector] = {}
        for root in roots:
            for connector in _shipped() if root == HERE else _read(root):
                if connector.id in found:
                    file, other = connector.folder / "manifest.toml", found[connector.id].folder
                    raise RegistryError(file, connector.id, f"is in {other} too; rename one folder")
                found[connector.id] = connector
        return cls(found.values())

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """All connectors by id, in the order of their ids."""
        return self._connectors

    def connector(self, name: str) -> Connector:
        """The connector of that id, or the only one of that family. Raises UnknownAction."""
        found = self._connectors.get(name)
        if found is None and len(self._families.get(name, ())) == 1:
            found = self._families[name][0]
        if found is None:
            raise self._unknown(name)
        return found

    def action(self, connector: str, action: str) -> Action:
        """One action; `connector` may be a family of exactly one vendor. Raises UnknownAction with close names."""
        found = self._actions.get((connector, action))
        if found is None:
            raise _unknown_of(self.connector(connector), action)
        return found

    def offered(self, name: str, action: str) -> tuple[Action, ...]:
        """What `actions` gives, for a host: one that only the gateway makes is to it as if there were none.

        Raises UnknownAction.
        """
        found = self.actions(name, action)
        if any(each.inner for each in found):
            raise _unknown_of(self.connector(name), action)
        return found

    def actions(self, name: str, action: str) -> tuple[Action, ...]:
        """The action of that connector, or of each vendor of that family that has it. Raises UnknownAction."""
        vendors = self.family(name)
        found = tuple(each.actions[action] for each in vendors if action in each.actions)
        return found or (self.action(name, action),)

    def family(self, name: str) -> tuple[Connector, ...]:
        """The vendors of a family, in the order of their ids; none where there is no such family."""
        return self._families.get(name, ())

    def _by_any_name(self) -> dict[str, Connector]:
        alone = {name: vendors[0] for name, vendors in self._families.items() if len(vendors) == 1}
        return {**alone, **self._connectors}

    def _unknown(self, name: str) -> UnknownAction:
        if vendors := self._families.get(name, ()):
            return UnknownAction(name, tuple(each.id for each in vendors), " The family has several vendors; name one.")
        return UnknownAction(name, _close(name, [*self._connectors, *self._families]))


@cache
def _shipped() -> tuple[Connector, ...]:
    """The project's own folders, read once: nobody changes them while a program runs."""
    return tuple(_read(HERE))


def _read(root: Path) -> Iterator[Connector]:
    for file in sorted(path for depth in _DEPTHS for path in root.glob(depth)):
        yield read_folder(root, file.parent)


def _unknown_of(home: Connector, action: str) -> UnknownAction:
    """Close names are those that a host may call, so that it learns of no other."""
    offered = [name for name, each in home.actions.items() if not each.inner]
    return UnknownAction(action, tuple(f"{home.id}/{name}" for name in _close(action, offered)))


def _close(name: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(get_close_matches(name, list(names), n=3, cutoff=0.5))
