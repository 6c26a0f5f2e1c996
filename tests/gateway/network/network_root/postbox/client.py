"""One coroutine per action: our fields to a request, the answer to ours."""

import orjson

from connectors.contract import Egress, VendorAnswer
from connectors.wire import build_request, error_for

from .actions import Answer


async def answer(fields: Answer, egress: Egress) -> VendorAnswer:
    """Answer a letter."""
    headers = {"Content-Type": "application/json"}
    content = orjson.dumps({"answers": fields.answers})
    response = await egress.send(build_request("POST", f"{egress.base_url}/answers", headers=headers, content=content))
    if error := error_for(response.status_code, response.headers):
        raise error
    return VendorAnswer({}, None, response.status_code)
