"""Read a file of ours without running it: what it imports and uses, and the texts in it. Judges nothing."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

DYNAMIC = ("importlib.import_module", "importlib.__import__", "builtins.__import__")


@dataclass(frozen=True)
class Reach:
    """A name that a module takes from elsewhere, in full."""

    name: str
    line: int

    def within(self, names: str) -> bool:
        """Whether it is one of these or lies in it."""
        return any(self.name == name or self.name.startswith(f"{name}.") for name in names.split())


@dataclass(frozen=True)
class Module:
    """One file of ours."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text, self.path)

    @property
    def name(self) -> str:
        """How it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def folder(self) -> str:
        """Where it lies."""
        return str(PurePosixPath(self.path).parent)

    def reaches(self) -> Iterator[Reach]:
        """Every import wherever it stands, literal dynamic ones too, and every dotted use of what was imported."""
        aliases = {name: f"builtins.{name}" for name in ("open", "print", "input", "__import__")}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for local, name in self._imported(node):
                    aliases[local] = name
                    yield Reach(name, node.lineno)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node, aliases)):
                yield Reach(name, node.lineno)
            elif isinstance(node, ast.Call) and dotted(node.func, aliases) in DYNAMIC:
                for name in literals(node.args[:1]):
                    yield Reach(self._absolute(name), node.lineno)

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
        """What one statement brings in: the name it has here, and its full name."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name
            return
        base = self._absolute("." * node.level + (node.module or ""))
        yield "", base
        for alias in node.names:
            yield alias.asname or alias.name, f"{base}.{alias.name}"

    def _absolute(self, name: str) -> str:
        """A relative name in full."""
        bare = name.lstrip(".")
        level = len(name) - len(bare)
        if not level:
            return bare
        folders = self.folder.split("/")
        return ".".join([*folders[: len(folders) - level + 1], *([bare] if bare else [])])


def texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string that is not a docstring; an f-string as one, a gap for each value."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values)
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    """The full name that an expression like `a.b.c` stands for, if `a` was imported."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return ""
    return ".".join([aliases[node.id], *reversed(parts)])


def literals(nodes: Iterable[ast.expr]) -> Iterator[str]:
    """The strings among these that are written out."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
