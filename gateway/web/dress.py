"""What pages look like: templates and the files beside them. Escapes everything, and fails on a word that is not there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from gateway.web.browser import page_headers

_HERE: Final = Path(__file__).parent
TEMPLATES: Final = _HERE / "templates"
_MEDIA: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
STATIC: Final = "/static/"


class _File(NamedTuple):
    body: bytes
    media: str


class Statics:
    """Style sheet, scripts and pictures, each under a name that changes with its bytes: kept for ever, never old."""

    def __init__(self, folder: Path = _HERE / "static") -> None:
        """Read them all, once."""
        self._served: dict[str, _File] = {}
        self._names: dict[str, str] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _MEDIA:
                name, body = path.relative_to(folder).as_posix(), path.read_bytes()
                digest = hashlib.sha256(body).hexdigest()[:16]
                served = PurePosixPath(name).with_suffix(f".{digest}{path.suffix}").as_posix()
                self._served[served], self._names[name] = _File(body, _MEDIA[path.suffix]), served

    def path(self, name: str) -> str:
        """Where a file is served."""
        return STATIC + self._names[name]

    async def serve(self, request: Request) -> Response:
        """One file, or 404."""
        found = self._served.get(request.path_params["name"])
        if found is None:
            return Response(status_code=404, headers={"cache-control": "no-store", "x-content-type-options": "nosniff"})
        headers = {**page_headers(), "cache-control": _FOR_EVER}
        return Response(found.body, headers=headers, media_type=found.media)


class Dress:
    """Writes pages from templates."""

    def __init__(self, statics: Statics, *, prefix: str) -> None:
        """`prefix` is the path that stands before all of ours at the public address, or nothing."""
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {
            "at": lambda path: prefix + path,
            "static": lambda name: prefix + statics.path(name),
        }
        self._environment.filters |= {
            "moment": moment,
            "machine": machine,
            "number": number,
            "capitalize_first": capitalize_first,
        }

    def page(self, template: str, words: Mapping[str, Any]) -> str:
        """A whole page."""
        return self._environment.get_template(template).render(words)


def moment(at: datetime) -> str:
    """A moment as people read it; always UTC, which the ledger and its proofs are in."""
    return f"{at.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def machine(at: datetime) -> str:
    """A moment for a <time datetime>."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def number(value: int) -> str:
    """A number with its thousands apart, by a space that does not break."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def capitalize_first(text: str) -> str:
    """A sentence begins with a capital; the rest of it stays as it is."""
    return text[:1].upper() + text[1:]
