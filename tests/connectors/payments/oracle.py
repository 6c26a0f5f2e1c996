"""The `stripe` package as a witness: what it sends for some parameters, how it reads an error. Sends nothing itself."""

import sys
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import stripe
import typing_extensions
from stripe import _request_options

stripe.enable_telemetry = False  # before the first client: it would write an id into the home folder


@dataclass
class Witness:
    """What the package handed to its HTTP client."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any

    @property
    def form(self) -> list[tuple[str, str]]:
        """The body as pairs."""
        return parse_qsl(self.body or "", keep_blank_values=True, strict_parsing=bool(self.body))


class Capturing(stripe.HTTPClient):
    """Takes the package's requests, gives one answer."""

    name = "capturing"

    def __init__(self, status: int = 200, body: str = "{}") -> None:
        super().__init__()
        self.seen: list[Witness] = []
        self.status, self.body = status, body

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[str, int, dict[str, str]]:
        self.seen.append(Witness(method, url, dict(headers), post_data))
        return self.body, self.status, {}

    def close(self) -> None:
        """Nothing is open."""


def client(http: Capturing, *, account: str | None = None) -> stripe.StripeClient:
    """The package's client over a capturing door."""
    assert not stripe.enable_telemetry
    return stripe.StripeClient("rk_test_oracle", http_client=http, stripe_account=account)


def declared_paths(params: Any) -> set[str]:
    """Every parameter that the package's typed parameters know, as form names; `[]` for a list, `*` for any name."""
    return set(_paths(params, ""))


def _paths(hint: Any, prefix: str) -> Any:
    hint = _bare(hint)
    if typing_extensions.is_typeddict(hint):
        known = {**vars(_request_options), "StripeContext": object, **vars(sys.modules[hint.__module__])}
        options = _request_options.RequestOptions.__annotations__ if prefix == "" else {}
        for name, inner in get_type_hints(hint, globalns=known).items():
            if name in options:
                continue
            yield from _paths(inner, f"{prefix}[{name}]" if prefix else name)
    elif get_origin(hint) in (list, tuple):
        yield from _paths(get_args(hint)[0], f"{prefix}[]")
    elif get_origin(hint) is dict:
        yield f"{prefix}[*]"
    elif get_args(hint) and get_origin(hint) is not typing_extensions.Literal:
        for arm in get_args(hint):
            yield from _paths(arm, prefix)
    else:
        yield prefix


def _bare(hint: Any) -> Any:
    return (
        get_args(hint)[0] if get_origin(hint) in (typing_extensions.NotRequired, typing_extensions.Required) else hint
    )
