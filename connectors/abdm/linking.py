"""What is told of care contexts: the bodies for linking them, by the clinic and by a patient. Pure.

An answer in which something is missing that a yes needs is a no.

One block for each kind of document, `hiType` always one text: a list is answered with 400 and nothing else. A visit with
several kinds stands in a block for each, in one call.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from connectors.abdm.errors import problem
from connectors.abdm.headers import timestamp
from connectors.abdm.identifiers import mobile_in
from connectors.errors import Rejected
from connectors.records import (
    AnswerConfirmation,
    AnswerDiscovery,
    AnswerLink,
    AnswerShare,
    Context,
    InvitePatient,
    LinkContexts,
    NotifyContext,
    RequestLinkToken,
)
from connectors.told import Proof, RecordKind, Setback

MOST_IN_A_BLOCK: Final = 20
_MATCHED_BY: Final = {
    Proof.ADDRESS: "ABHA_ADDRESS",
    Proof.NUMBER: "ABHA_NUMBER",
    Proof.MOBILE: "MOBILE",
    Proof.RECORD_NUMBER: "MR",
}


def link_token(fields: RequestLinkToken) -> dict[str, Any]:
    """Who the patient is. The number is an integer here, and here alone."""
    known: dict[str, Any] = {} if fields.number is None else {"abhaNumber": int(fields.number)}
    return {
        **known,
        "abhaAddress": fields.address,
        "name": fields.name,
        "gender": fields.gender,
        "yearOfBirth": fields.year_of_birth,
    }


def link(fields: LinkContexts) -> dict[str, Any]:
    """The visits to link. The number is its digits as a text: with dashes it is answered with 400 and nothing else."""
    known = {} if fields.number is None else {"abhaNumber": fields.number}
    return {
        **known,
        "abhaAddress": fields.address,
        "patient": blocks(fields.patient_reference, fields.patient_display, fields.contexts),
    }


def notice(fields: NotifyContext, account: str) -> dict[str, Any]:
    """That a linked visit has new documents. The reference is the clinic's own: NHA's example has the address there, wrongly."""
    return {
        "notification": {
            "patient": {"id": fields.address},
            "careContext": {
                "patientReference": fields.patient_reference,
                "careContextReference": fields.context_reference,
            },
            "hiTypes": [str(kind) for kind in fields.kinds],
            "date": timestamp(fields.at),
            "hip": {"id": account},
        }
    }


def invitation(fields: InvitePatient, account: str, *, request_id: str, sent_at: str) -> dict[str, Any]:
    """Whom to write to. The network's own id of the request stands in the body too. Raises Rejected for a number abroad."""
    mobile = mobile_in(fields.phone)
    if mobile is None:
        raise Rejected("not_an_indian_mobile")
    return {
        "requestId": request_id,
        "timestamp": sent_at,
        "notification": {
            "phoneNo": f"+91-{mobile[3:]}",
            "hip": {"id": account, "name": fields.facility_name},
        },
    }


def discovered(fields: AnswerDiscovery) -> dict[str, Any]:
    """The visits that can be linked, or that nobody was found: then there is no `patient` at all."""
    answer: dict[str, Any] = {"transactionId": fields.transaction}
    listed = _patient(fields)
    if fields.problem is not None or not listed:
        answer["error"] = problem(fields.problem or Setback.NOTHING_TO_LINK)
    else:
        answer["patient"] = listed
        answer["matchedBy"] = [_MATCHED_BY[proof] for proof in fields.matched_by if proof in _MATCHED_BY]
    return {**answer, **answers(fields.answers)}


def initiated(fields: AnswerLink) -> dict[str, Any]:
    """That a code is on its way to the number in the clinic's file."""
    answer: dict[str, Any] = {"transactionId": fields.transaction}
    if fields.problem is not None or fields.reference is None or fields.expires_at is None:
        return {**answer, "error": problem(fields.problem or Setback.CODE_NOT_SENT), **answers(fields.answers)}
    answer["link"] = {
        "referenceNumber": fields.reference,
        "authenticationType": "DIRECT",
        "meta": {
            "communicationMedium": "MOBILE",
            "communicationHint": fields.hint or "",
            "communicationExpiry": timestamp(fields.expires_at),
        },
    }
    return {**answer, **answers(fields.answers)}


def confirmed(fields: AnswerConfirmation) -> dict[str, Any]:
    """The visits that are linked now, or that the code was not right."""
    listed = _patient(fields)
    if fields.problem is not None or not listed:
        return {"error": problem(fields.problem or Setback.LINK_UNKNOWN), **answers(fields.answers)}
    return {"patient": listed, **answers(fields.answers)}


def queued(fields: AnswerShare) -> dict[str, Any]:
    """The place in the queue, all of it as text."""
    if fields.problem is not None or fields.token_number is None or fields.lasts_seconds is None:
        return {"error": problem(fields.problem or Setback.QUEUE_CLOSED), **answers(fields.answers)}
    return {
        "acknowledgement": {
            "status": "SUCCESS",
            "abhaAddress": fields.address,
            "profile": {
                "context": fields.counter,
                "tokenNumber": fields.token_number,
                "expiry": str(fields.lasts_seconds),
            },
        },
        **answers(fields.answers),
    }


def answers(to: str) -> dict[str, Any]:
    """Which message of the network's is answered: the id in its header, never one in its body."""
    return {"response": {"requestId": to}}


def blocks(patient: str, display: str, contexts: Sequence[Context]) -> list[dict[str, Any]]:
    """The visits by kind, in the order of the kinds; at most twenty in a block, each block with its count."""
    found = []
    for kind in RecordKind:
        of_kind = [context for context in contexts if kind in context.kinds]
        for some in _batches(of_kind):
            listed = [{"referenceNumber": each.reference, "display": each.display} for each in some]
            found.append(
                {
                    "referenceNumber": patient,
                    "display": display,
                    "careContexts": listed,
                    "hiType": str(kind),
                    "count": len(listed),
                }
            )
    return found


def _patient(fields: AnswerDiscovery | AnswerConfirmation) -> list[dict[str, Any]]:
    """The blocks; none where there is nobody, or nothing of theirs."""
    if fields.patient_reference is None or fields.patient_display is None:
        return []
    return blocks(fields.patient_reference, fields.patient_display, fields.contexts)


def _batches(contexts: Sequence[Context]) -> Iterator[Iterable[Context]]:
    for start in range(0, len(contexts), MOST_IN_A_BLOCK):
        yield contexts[start : start + MOST_IN_A_BLOCK]
