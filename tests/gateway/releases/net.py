"""A connector of a network that is none of the world's, written into a folder: plain letters, plain pages. No fixtures."""

from __future__ import annotations

from pathlib import Path

CONNECTOR = "net"
STEPS = ("answer_consent", "answer_records", "report_transfer")

_MANIFEST = """
title = "A network"
hosts = ["net.example"]
api_base = "https://net.example"

[recipient]
legal_name = "The Network Authority"
role = "statutory_network"
country = "IN"
regions = ["IN"]
transfer = "none"
privacy_url = "https://net.example/privacy"

[agreements]
needed = false
why = "A statutory network signs none."

[credential]
kind = "api_key"
apply = "bearer"

[[credential.accepts]]
pattern = "net_test_[0-9a-z]{16}"
title = "a key"

[limits]
per_second = 100

[settings.push_token_withheld]
title = "Who gets no token"
pattern = ".*"
example = "hiu-2"
needed = false

[settings.unnamed_recipient]
title = "Where nobody is named"
pattern = "refuse|release"
example = "refuse"
needed = false

[features.records]
title = "Records"
why = "Records go to whom the patient consented"
actions = ["answer_consent", "answer_records", "push_record", "report_transfer"]
"""
_ENTRY = """
[actions.{name}]
purposes = ["CAREMGT", "PATRQT", "PATADMIN"]
repeat = "never"
inner = true
"""
_ACTIONS = """
from typing import Final

from connectors.contract import Exchange
from connectors.records import AnswerConsent, AnswerRecords, PushRecord, ReportTransfer, Taken

ACTIONS: Final = {
    "answer_consent": Exchange(AnswerConsent, Taken),
    "answer_records": Exchange(AnswerRecords, Taken),
    "push_record": Exchange(PushRecord, Taken),
    "report_transfer": Exchange(ReportTransfer, Taken),
}
"""
_CLIENT = """
from typing import Any

import orjson

from connectors.contract import Egress, VendorAnswer
from connectors.records import AnswerConsent, AnswerRecords, ReportTransfer
from connectors.wire import build_request, error_for


async def answer_consent(fields: AnswerConsent, egress: Egress) -> VendorAnswer:
    return await _tell("answer_consent", fields, egress)


async def answer_records(fields: AnswerRecords, egress: Egress) -> VendorAnswer:
    return await _tell("answer_records", fields, egress)


async def report_transfer(fields: ReportTransfer, egress: Egress) -> VendorAnswer:
    return await _tell("report_transfer", fields, egress)


async def _tell(step: str, fields: Any, egress: Egress) -> VendorAnswer:
    content = orjson.dumps(fields.model_dump(mode="json", exclude_none=True))
    response = await egress.send(
        build_request("POST", f"{egress.base_url}/{step}", headers={"content-type": "application/json"}, content=content)
    )
    if error := error_for(response.status_code, response.headers):
        raise error
    return VendorAnswer({}, None, response.status_code)
"""
_NETWORK = """
import os

import orjson

from connectors.errors import CallbackRefused
from connectors.network import Body
from connectors.wire import build_streamed

PREFIX = "/net"


def scanned_text(environment, account, counter):
    raise NotImplementedError


def session_request(base_url, client_id, client_secret, *, request_id, now):
    raise NotImplementedError


def read_session(answer):
    raise NotImplementedError


def keys_request(base_url, *, token, request_id, now):
    raise NotImplementedError


def read_keys(answer):
    raise NotImplementedError


def bridge_request(base_url, *, token, request_id, now):
    raise NotImplementedError


def read_bridge(answer):
    raise NotImplementedError


def move_request(base_url, url, *, token, request_id, now):
    raise NotImplementedError


def read_moved(answer):
    raise NotImplementedError


def outside(path, headers):
    raise CallbackRefused("unreadable")


def verify(letter, keys, *, now):
    raise CallbackRefused("unreadable")


def read(path, letter, raw_body):
    raise CallbackRefused("unreadable")


def check(document):
    return []


def kind_of(document):
    return None


def categories_of(document):
    return frozenset()


def dates_of(document):
    return None


def document_of(kind, record, *, document, now, facility):
    return {}


def compose_of(kind, resources, *, document, now, facility):
    raise NotImplementedError


def sealed(entry, chunks, wanted, *, place):
    if wanted.key == b"broken":
        raise CallbackRefused("key_refused")

    def head():
        said = {
            "transaction": wanted.transaction, "page": place.page, "pages": place.pages, "context": entry.context,
            "digest": entry.digest, "key": os.urandom(32).hex(), "for": wanted.key.hex(), "nonce": wanted.nonce.hex(),
        }
        return orjson.dumps(said) + b"\\n"

    async def pieces():
        yield head()
        async for chunk in chunks():
            yield chunk

    return Body(len(head()) + entry.length, pieces)


def push_request(url, body, *, token, settings):
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return build_streamed("POST", url, headers=headers, length=body.length, chunks=body.chunks)
"""


def write_network(root: Path) -> None:
    """Write its folder."""
    folder = root / CONNECTOR
    folder.mkdir(parents=True, exist_ok=True)
    entries = "".join(_ENTRY.format(name=step) for step in (*STEPS, "push_record"))
    (folder / "manifest.toml").write_text(_MANIFEST + entries + "elsewhere = true\n")
    for name, text in (("actions", _ACTIONS), ("client", _CLIENT), ("network", _NETWORK)):
        (folder / f"{name}.py").write_text(f'"""A part of the network."""\n{text}')
