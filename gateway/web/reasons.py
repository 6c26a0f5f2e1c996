"""Why something was not let through, as people read it, and what to do about it. One place for all pages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from scopes.vocabulary import Reason

# Reason -> title, what to do about it.
REASONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        Reason.CONNECTION_INACTIVE: ("Connection not active", "Connect the integration, or resume it."),
        Reason.FEATURE_OFF: ("Feature is off", "Switch the feature on for this integration."),
        Reason.SCOPE_MISSING: ("Vendor's permission missing", "Connect again and allow what the feature needs."),
        Reason.SCOPE_EXCESS: ("Vendor's permission too wide", "Connect again with a narrower permission."),
        Reason.PURPOSE_NOT_ALLOWED: ("Purpose not served", "Call the action for a purpose that it declares."),
        Reason.PURPOSE_DENIED: ("Purpose never allowed", "Nothing: no integration may be used for this purpose."),
        Reason.CONSENT_MISSING: ("No consent", "Record the person's consent for this purpose and channel."),
        Reason.CONSENT_WITHDRAWN: ("Consent withdrawn", "Respect it; ask the person anew if they want it again."),
        Reason.CONSENT_EXPIRED: ("Consent expired", "Ask the person anew and record their consent."),
        Reason.AGREEMENT_MISSING: ("No agreement", "Record the agreement with this recipient."),
        Reason.AGREEMENT_EXPIRED: ("Agreement expired", "Renew the agreement and record it."),
        Reason.SERVICE_NOT_COVERED: ("Service not covered", "Use a service that the agreement covers, or extend it."),
        Reason.REGION_NOT_ALLOWED: ("Region not allowed", "Use a recipient that keeps data in the allowed regions."),
        Reason.RECIPIENT_DENIED: (
            "Recipient not allowed",
            "Use another recipient; this one is never allowed to get it.",
        ),
        Reason.FREE_TEXT_REFUSED: ("Free text is off", "Let the clinic switch this free text on, or leave it out."),
        Reason.REQUIRED_WITHHELD: ("Required field withheld", "Stop withholding the field, or switch the feature off."),
        Reason.QUIET_HOURS: ("Quiet hours", "Nothing: it may go when the quiet hours end."),
        Reason.FREQUENCY_CAP: ("Too often", "Nothing: one more may go when the cap, or the consent, frees a place."),
        Reason.SUBJECT_RESTRICTED: ("Person restricted", "Lift the restriction first, if the person agrees."),
        Reason.SUBJECT_OBJECTED: ("Person objected", "Respect the objection."),
        Reason.TEMPLATE_UNREGISTERED: ("Text not registered", "Register the text for this channel and language."),
        Reason.RATE_LIMITED: ("Too many calls", "Nothing: the caller tries again later."),
        Reason.RANGE_NOT_COVERED: (
            "Range not consented to",
            "Nothing here: whoever asks names a range within the patient's consent.",
        ),
        Reason.RECORD_NOT_NAMED: ("Visit not consented to", "Nothing: the patient's consent names other visits."),
        Reason.RECORD_KIND_NOT_COVERED: (
            "Kind of document not consented to",
            "Nothing: the patient's consent names other kinds of documents.",
        ),
        Reason.RECORD_DATE_NOT_COVERED: (
            "Time of the document not consented to",
            "Nothing: the document is of a time that nobody asked for with a consent.",
        ),
        Reason.RECIPIENT_UNNAMED: (
            "Nobody is named who may have it",
            "Nothing here: whoever asks needs a consent that names them.",
        ),
        Reason.ADDRESS_NOT_ALLOWED: (
            "Address not allowed",
            "Nothing here: whoever asks names an https address on the public internet.",
        ),
        Reason.KEY_UNUSABLE: (
            "Key not usable",
            "Nothing here: whoever asks sends a key that records can be sealed for.",
        ),
    }
)


def reason(code: str) -> str:
    """A reason as people read it."""
    return REASONS[code][0] if code in REASONS else code


def fix(code: str) -> str:
    """What to do about a reason."""
    return REASONS[code][1] if code in REASONS else ""
