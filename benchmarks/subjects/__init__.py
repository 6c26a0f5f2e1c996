"""What is measured. A subject is a server that the load is sent to, or a program that makes the calls itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

BODY = "amount=4250&currency=eur&automatic_payment_methods[enabled]=true&metadata[reference]=inv_2024000117"


@dataclass(frozen=True)
class Target:
    """Where the load goes, what it sends, and whose CPU is counted.

    `{n}` in a header's value becomes a number that is new in every call. `server` and `database` are the ids of
    programs; those that they started count with them. `commits` reads a counter of write transactions.
    """

    url: str
    headers: Mapping[str, str]
    body: str
    server: tuple[int, ...]
    database: tuple[int, ...] = ()
    commits: Callable[[], int] | None = field(default=None)
