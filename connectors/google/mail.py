"""A notice as a mail. Refuses whatever would begin another header; the sentences are in words.py."""

import base64
from email.message import EmailMessage
from email.policy import SMTP

from connectors.errors import Rejected
from connectors.google.actions import SendNotice, SendStaffNotice
from connectors.google.words import SUBJECTS, TEXTS


def message(fields: SendNotice | SendStaffNotice, signature: str | None) -> dict[str, str]:
    """A mail as Gmail takes it: the whole message, in base64 for addresses. Gmail adds who sends it, and when.

    Raises Rejected where something in it would begin another header.
    """
    subject, text = SUBJECTS[type(fields)][fields.language], TEXTS[fields.notice][fields.language]
    made = EmailMessage(policy=SMTP)
    try:
        made["To"] = fields.to
        made["Subject"] = subject
        made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
        made.set_content(f"{text}\n\n{signature or ''}".strip() + "\n")
    except ValueError:
        raise Rejected("header_unusable") from None
    if [to.addr_spec for to in made["To"].addresses] != [fields.to]:
        raise Rejected("header_unusable")
    return {"raw": base64.urlsafe_b64encode(made.as_bytes()).decode()}


def check_domain(address: str, domains: str) -> None:
    """Raise Rejected unless an address is in one of the clinic's own domains: notices to staff ask for no consent."""
    if not domains:
        raise Rejected("staff_domains_missing")
    if address.rpartition("@")[2].lower() not in domains.split(","):
        raise Rejected("not_a_staff_domain")
