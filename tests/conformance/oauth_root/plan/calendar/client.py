"""One coroutine per action: our fields to a request, the answer to ours."""

import orjson

from connectors.contract import Ambiguous, Egress, VendorAnswer
from connectors.wire import build_request, error_for, object_in

from ..actions import Book, Look


async def look(fields: Look, egress: Egress) -> VendorAnswer:
    """Ask whether a time is free."""
    return await _send(egress, "/v1/look", fields.reference)


async def book(fields: Book, egress: Egress) -> VendorAnswer:
    """Take a time."""
    return await _send(egress, "/v1/book", fields.reference)


async def _send(egress: Egress, path: str, reference: str) -> VendorAnswer:
    headers = {"Content-Type": "application/json", "Idempotency-Key": egress.idempotency_key}
    content = orjson.dumps({"reference": reference})
    response = await egress.send(build_request("POST", egress.base_url + path, headers=headers, content=content))
    if error := error_for(response.status_code, response.headers):
        raise error
    body = object_in(response)
    if not isinstance(body.get("id"), str):
        raise Ambiguous("unreadable_answer")
    return VendorAnswer(body, body["id"], response.status_code)
