"""Graph's words that we react to, and ours for Graph. Closed lists: a word that is not here is not repeated to anyone."""

from typing import Final

from connectors.teams.fields import Label, Notice

#: Graph's error codes (error.code) and what we call them; services of Graph spell the same one differently.
ERROR_WORDS: Final = {
    "accessdenied": "access_denied",
    "activitylimitreached": "rate_limit",
    "authorization_requestdenied": "permission_missing",
    "badgateway": "bad_gateway",
    "badrequest": "bad_request",
    "conflict": "conflict",
    "extensionerror": "extension_error",
    "forbidden": "forbidden",
    "gatewaytimeout": "gateway_timeout",
    "generalexception": "general_exception",
    "generic": "general_exception",
    "internalservererror": "internal_server_error",
    "invalidauthenticationtoken": "token_refused",
    "invalidrequest": "bad_request",
    "itemnotfound": "not_found",
    "lifecyclenotificationurl": "bad_request",
    "methodnotallowed": "method_not_allowed",
    "notacceptable": "not_acceptable",
    "notfound": "not_found",
    "preconditionfailed": "precondition_failed",
    "request_badrequest": "bad_request",
    "request_resourcenotfound": "not_found",
    "requestbodyread": "bad_request",
    "resourcelocked": "resource_locked",
    "resourcenotfound": "not_found",
    "servicenotavailable": "service_unavailable",
    "serviceunavailable": "service_unavailable",
    "timeout": "gateway_timeout",
    "toomanyrequests": "rate_limit",
    "unauthenticated": "token_refused",
    "unauthorized": "token_refused",
    "unknownerror": "general_exception",
    "validationerror": "callback_not_validated",
}

#: What the team reads on a shift.
LABELS: Final = {
    Label.EARLY: "Early shift",
    Label.DAY: "Day shift",
    Label.LATE: "Late shift",
    Label.NIGHT: "Night shift",
    Label.ON_CALL: "On call",
    Label.STANDBY: "Standby",
    Label.TRAINING: "Training",
}

#: The activity types that the clinic's Teams app declares (README.md), and the preview under each. None has a parameter.
NOTICES: Final = {
    Notice.ROSTER_CHANGED: ("rosterChanged", "The roster has changed"),
    Notice.SHIFT_ASSIGNED: ("shiftAssigned", "You have a new shift"),
    Notice.REQUEST_WAITING: ("requestWaiting", "A request is waiting for you"),
    Notice.TASK_WAITING: ("taskWaiting", "Something is waiting for you"),
    Notice.MEETING_WAITING: ("meetingWaiting", "Somebody is waiting in a meeting"),
}

#: What a meeting is called: not whose it is, and not what for.
MEETING_SUBJECT: Final = "Appointment"
