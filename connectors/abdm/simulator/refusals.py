"""How the network says no: six shapes, and two more that are seen. Keeps the shapes; who refuses what is elsewhere."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response


class Shape(StrEnum):
    """What an error looks like (specification, 1.6)."""

    NESTED = "nested"
    FLAT = "flat"
    FIELD = "field"
    WSO2 = "wso2"
    EMPTY = "empty"
    REGISTRY = "registry"
    ARRAY = "array"
    TEXT = "text"


@dataclass
class Refused(Exception):
    """A request that the network does not take; `field` is the value that the third shape blames."""

    status: int
    code: str
    message: str
    shape: Shape = Shape.NESTED
    field: str = "loginId"
    challenge: str | None = None

    def response(self, at: str) -> Response:
        """The answer, stamped with a time."""
        headers = {"WWW-Authenticate": self.challenge} if self.challenge else None
        if self.shape is Shape.EMPTY:
            return Response(status_code=self.status, headers=headers)
        if self.shape is Shape.TEXT:
            return PlainTextResponse("Access Denied", self.status, headers)
        return JSONResponse(self._body(at), self.status, headers)

    def _body(self, at: str) -> Any:
        error = {"code": self.code, "message": self.message}
        match self.shape:
            case Shape.FLAT:
                return {**error, "timestamp": at}
            case Shape.FIELD:
                return {self.field: self.message, "timestamp": at}
            case Shape.WSO2:
                return {**error, "description": f"{self.message}. Look at the API's documentation."}
            case Shape.REGISTRY:
                attribute = {"key": self.field, "value": None}
                return {
                    "code": "HIS-400", "message": "Bad request",
                    "details": [{**error, "attribute": attribute}],
                }  # fmt: skip
            case Shape.ARRAY:
                return [{"error": error}]
            case _:
                return {"error": error}


def bad(code: str, message: str) -> Refused:
    """A 400 with one of ABDM's codes."""
    return Refused(400, code, message)


def unauthenticated(code: str, message: str) -> Refused:
    """What the gateway's front says of tokens: 900901 for one that is no good, 900902 for none."""
    return Refused(401, code, message, Shape.WSO2)


#: A header is missing: no body, and a challenge that means nothing.
HEADERLESS = Refused(401, "", "", Shape.EMPTY, challenge='Basic realm="Realm"')
SILENT_400 = Refused(400, "", "", Shape.EMPTY)
SUSPENDED = Refused(
    500, "303001", "Runtime Error: Currently , Address endpoint : [ Name : HIECM ] [ State : SUSPENDED ]", Shape.WSO2
)


def an_example(shape: Shape) -> Refused:
    """One refusal in a shape, for whoever wants the next call to fail in it."""
    return {
        Shape.NESTED: Refused(400, "ABDM-1006", "Invalid request"),
        Shape.FLAT: Refused(500, "ABDM-9999", "Dependent service unavailable", Shape.FLAT),
        Shape.FIELD: Refused(400, "", "LoginId is invalid", Shape.FIELD),
        Shape.WSO2: SUSPENDED,
        Shape.EMPTY: SILENT_400,
        Shape.REGISTRY: Refused(400, "HIS-1070", "Bridge ID cannot be blank", Shape.REGISTRY, "bridgeId"),
        Shape.ARRAY: Refused(400, "ABDM-1010: ", "Invalid request", Shape.ARRAY),
        Shape.TEXT: Refused(403, "", "", Shape.TEXT),
    }[shape]
