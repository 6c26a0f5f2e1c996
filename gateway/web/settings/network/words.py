"""What codes of a network mean at a clinic: sessions, links, consents, requests, documents. Other words: gateway/web/words.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from gateway.web.auditor.words import REASONS
from gateway.web.dress import moment
from gateway.web.words import spoken


class Word(NamedTuple):
    """A badge's text and tone, and a sentence."""

    text: str
    tone: str
    means: str = ""


WHO: Final[Mapping[str, str]] = MappingProxyType(
    {
        "clinic": "The clinic does this",
        "operator": "The gateway's operator does this",
        "both": "The clinic first, then the gateway's operator",
        "nobody": "It passes by itself",
    }
)
SESSIONS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "good": Word("In session", "good", "The network lets the gateway in."),
        "rests": Word("At rest", "off", "None is held just now; the next message asks for one."),
        "locked": Word("Locked out", "bad", "Refused several times in a row, so nobody asks for a while."),
        "refused": Word("Refused", "bad", "The network did not take the gateway's registration."),
        "away": Word("Network away", "warn", "The network was out of order when it was asked."),
        "unregistered": Word("Not registered", "bad", "The gateway is not registered there."),
    }
)
CONNECTIONS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "active": Word("On", "good"),
        "suspended": Word("Suspended", "warn"),
        "pending": Word("Waits for the operator", "wait"),
        "revoked": Word("Revoked", "off"),
    }
)
LINKS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "wanted": Word("Waits", "wait", "It is to be linked; the network is asked for its permission first."),
        "asked": Word("Under way", "wait", "The network was told, and its own word that it is linked is waited for."),
        "linked": Word("Linked", "good", "It is in the patient's app."),
        "failed": Word("Not linked", "warn"),
        "unwanted": Word(
            "Not offered", "off", "Nobody asked to link it; the patient can find and link it in their app."
        ),
    }
)
_HAND_OVER: Final = "Correct it in the clinic's software and hand the visit over again: it is tried anew then."
_AGAIN_LATER: Final = "Hand the visit over again later: it is tried anew then."
_OPERATOR: Final = "Tell the gateway's operator: it cannot be mended here."
# Why a visit is not linked, and what happens next where the gateway has given up.
LINK_CODES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "no_address": (
            "The patient's address at the network is not known here.",
            "Register the patient with it, and hand the visit over again.",
        ),
        "demographics_differ": ("Name, gender or year of birth are other than what the network knows.", _HAND_OVER),
        "facility_or_patient_unknown": ("The network does not know the patient, or not this facility.", _HAND_OVER),
        "user_not_found": ("The network knows nobody of that address.", _HAND_OVER),
        "facility_unknown": ("The network does not know the clinic's facility.", _OPERATOR),
        "we_were_not_reached": ("The network could not reach this gateway.", _OPERATOR),
        "patient_blocked_for_a_day": ("The network takes nothing about this patient for a day.", _AGAIN_LATER),
        "link_token_pending": ("The network has not answered the last request for this patient yet.", _AGAIN_LATER),
        "link_pending": ("The network is still at the last link of this patient.", _AGAIN_LATER),
        "link_token_refused": ("The network took back its permission to link for this patient.", _AGAIN_LATER),
        "link_token_not_given": ("The network gave no permission to link for this patient.", _HAND_OVER),
        "already_linked": ("The network says that it is linked already.", "Nothing is to be done."),
        "not_answered": ("The network took the request and said nothing more.", _AGAIN_LATER),
        "refused_here": ("The clinic's own settings do not let it leave.", "The log says which; hand the visit over again then."),
        "rate_limited": ("The network was asked too often.", _AGAIN_LATER),
        "too_many_codes": ("Too many codes were sent to this patient.", _AGAIN_LATER),
        "service_behind_it_down": ("A service behind the network was out of order.", _AGAIN_LATER),
        "network_suspended": ("The network's front gate was closed.", _AGAIN_LATER),
        "failed": ("The network could not be reached.", _AGAIN_LATER),
        "unknown": ("It is not known whether the network got it.", _AGAIN_LATER),
        "rejected": ("The network did not take it.", _OPERATOR),
        "refused": ("The network did not take it, and does not say why in words that are known.", _OPERATOR),
        "body_refused": ("The network did not take the message's form.", _OPERATOR),
        "not_valid": ("The network says that something in it is not valid.", _OPERATOR),
        "timestamp_refused": ("The gateway's clock differs from the network's.", _OPERATOR),
        "header_refused": ("The network did not take the message's outside.", _OPERATOR),
        "count_wrong": ("The network counted the visits otherwise.", _OPERATOR),
        "context_refused": ("The network does not take this visit's reference.", _OPERATOR),
        "patient_reference_refused": ("The network does not take the patient's reference.", _OPERATOR),
        "display_refused": ("The network does not take what the visit is called.", _HAND_OVER),
        "user_token_refused": ("The network does not take the patient's login any more.", _AGAIN_LATER),
        "code_refused": ("The network does not take the code.", _AGAIN_LATER),
        "out_of_sequence": ("The network expected another step first.", _AGAIN_LATER),
    }
)  # fmt: skip
CONSENTS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "granted": Word("In force", "good"),
        "revoked": Word("Taken back", "bad", "The patient took it back at the network."),
        "withdrawn": Word("Withdrawn here", "bad", "It was taken back here, and not at the network."),
        "expired": Word("Expired", "off", "Its time is over."),
        "denied": Word("Denied", "off", "The patient said no."),
    }
)
TRANSFERS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "asked": Word("Just asked for", "wait", "The network is being told whether records will come."),
        "sending": Word("Being sent", "wait", "Documents are on their way, each weighed and recorded by itself."),
        "reporting": Word("Being reported", "wait", "Nothing more is sent; the network is being told how it went."),
        "reported": Word("Done", "good", "The network knows how it went."),
        "unreported": Word("Not reported", "warn", "The network took no report for a day; it believes that nothing came."),
    }
)  # fmt: skip
REFUSED: Final = Word("Refused", "off", "Nothing was sent, for the reasons below.")
ENTRIES: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "waiting": Word("Waits", "wait"),
        "sent": Word("Sent", "good", "Whoever asked took it."),
        "failed": Word("Failed", "bad"),
        "refused": Word("Refused", "off"),
        "late": Word("Too late", "warn"),
    }
)
ENTRY_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "too_late": "Its twenty minutes were over before it could go.",
        "record_gone": "The document is not here any more.",
        "cancelled": "The gateway was stopped meanwhile.",
        "gateway_fault": "The gateway could not open or seal it.",
        "key_refused": "The key that came with the request cannot be used.",
        "unreachable": "Whoever asked could not be reached.",
        "dns_failed": "The name of whoever asked leads nowhere.",
        "connect_failed": "Whoever asked took no connection.",
        "connect_timeout": "Whoever asked took no connection in time.",
        "tls_failed": "No safe connection to whoever asked came about.",
        "deadline": "No connection to whoever asked came about in time.",
        "engine_closed": "The gateway was stopping.",
        "timeout": "Whoever asked did not answer in time; it may have arrived.",
        "nothing_here": "Nothing that was asked for lies here.",
    }
)


def link_words(state: str | None, code: str | None, due_at: datetime | None, *, now: datetime) -> dict[str, Any]:
    """How far a visit is linked: a badge, why, and what happens next."""
    word = LINKS[state or "unwanted"]
    why, given_up = LINK_CODES.get(code or "", (f"The network's answer: {spoken(code)}." if code else "", _AGAIN_LATER))
    goes_on = (
        f"The next step for this patient is due at {moment(due_at)}." if due_at is not None and due_at > now else ""
    )
    if state == "failed":
        return {"word": word, "why": why, "then": given_up}
    if state == "wanted" and code is not None:
        return {"word": Word("Tried again", "wait"), "why": why, "then": goes_on or "It is tried again by itself."}
    return {"word": word, "why": word.means, "then": goes_on if state in ("wanted", "asked") else ""}


def entry_says(state: str, code: str | None, next_at: datetime | None = None) -> str:
    """What there is to say of a document besides how it stands."""
    if code is None:
        return ENTRIES[state].means
    if code in REASONS:
        title, what_to_do = REASONS[code]
        return f"{title}. {what_to_do}"
    said = ENTRY_CODES.get(code)
    if said is None:
        said = f"Whoever asked answered {code[5:]}." if code.startswith("http_") else f"{spoken(code)}."
    return f"{said} Tried again at {moment(next_at)}." if state == "waiting" and next_at is not None else said
