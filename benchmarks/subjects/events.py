"""The event that is delivered in every measurement of webhooks, and its body as an endpoint gets it."""

import orjson

TYPE = "appointment.moved"
DATA = {"id": "apt_7Hq2ZkW9"}
BODY = orjson.dumps({"data": DATA, "timestamp": "2026-11-22T11:02:59.000Z", "type": TYPE})
