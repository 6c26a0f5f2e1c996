"""What was said, both ways: each request that a hospital made with what was wrong with it, each one made to it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """A breach of the specification: its section, and what is wrong."""

    section: str
    what: str


@dataclass(slots=True)
class Heard:
    """A request that a hospital made, the answer's status, and every fault of its form or of its meaning."""

    number: int
    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any = None
    status: int = 0
    code: str = ""
    """ABDM's code, where it was refused."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether nothing was wrong with it."""
        return not self.faults

    def shown(self) -> dict[str, Any]:
        """For JSON; without what proves who is calling."""
        headers = {name: "..." if name in _SECRET else value for name, value in self.headers.items()}
        return {
            "number": self.number, "at": self.at, "method": self.method, "path": self.path, "headers": headers,
            "body": _veiled(self.body), "status": self.status, "code": self.code, "right": self.right,
            "faults": [{"section": fault.section, "what": fault.what} for fault in self.faults],
        }  # fmt: skip


@dataclass(slots=True)
class Told:
    """A callback to a hospital, and what became of it."""

    number: int
    at: float
    path: str
    service_id: str
    headers: dict[str, str]
    body: Any
    to: str | None
    """The address it went to; None where the bridge has none."""
    status: int | None = None
    """None where nobody answered."""
    repeats: int | None = None
    """The number of the delivery that this one repeats."""

    @property
    def request_id(self) -> str:
        """What the answer must name."""
        return self.headers["REQUEST-ID"]

    @property
    def taken(self) -> bool:
        """Whether it was accepted."""
        return self.status is not None and 200 <= self.status < 300

    def shown(self) -> dict[str, Any]:
        """For JSON."""
        headers = {name: "..." if name == "Authorization" else value for name, value in self.headers.items()}
        return {
            "number": self.number, "at": self.at, "path": self.path, "service_id": self.service_id, "headers": headers,
            "body": self.body, "to": self.to, "status": self.status, "repeats": self.repeats,
        }  # fmt: skip


_SECRET = frozenset({"authorization", "x-token", "t-token", "x-link-token"})


def _veiled(body: Any) -> Any:
    """A body without the client's secret."""
    return {**body, "clientSecret": "..."} if isinstance(body, dict) and "clientSecret" in body else body
