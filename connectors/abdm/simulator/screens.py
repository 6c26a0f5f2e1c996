"""What stands on each screen of the patients' app."""

import json
from html import escape
from typing import TYPE_CHECKING, Any, Final

from connectors.abdm.simulator import page
from connectors.abdm.simulator.artefacts import Artefact, ConsentRequest
from connectors.abdm.simulator.people import Discovery, Patient, Share
from connectors.abdm.simulator.transfers import Received, Transfer

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

APP_HIU: Final = "ABHA-APP"
_SHOWN_AT_MOST: Final = 20
_STATES: Final = {
    "asked": "Waiting for the hospital", "none": "Nothing found", "found": "Found", "init": "Waiting for the OTP",
    "otp": "Type the OTP", "confirming": "Waiting for the hospital", "linked": "Linked", "refused": "Refused",
}  # fmt: skip


def records(network: "Network", patient: Patient) -> str:
    """What is linked, facility by facility, and what the app fetched of it."""
    cards = "".join(_facility(network, patient, service_id) for service_id, linked in patient.linked.items() if linked)
    pulls = [
        each for each in network.transfers.values()
        if each.hiu_id == APP_HIU and network.artefacts[each.consent_id].address == patient.address
    ]  # fmt: skip
    fetched = "".join(transfer(network, each) for each in reversed(pulls[-_SHOWN_AT_MOST:]))
    empty = "<p class=soft>No health records are linked yet. Open <b>Find</b>, or let a hospital link them.</p>"
    return (cards or empty) + (f"<h2>Fetched</h2>{fetched}" if fetched else "")


def _facility(network: "Network", patient: Patient, service_id: str) -> str:
    items = "".join(
        f"<li><b>{escape(each.display)}</b><br><small>{escape(each.reference)}</small>"
        f"<div class=tags>{''.join(page.tag(kind) for kind in sorted(each.hi_types))}</div></li>"
        for each in patient.linked[service_id]
    )
    return (
        f"<div class=card><h3>{escape(_name(network, service_id))}</h3><ul class=list>{items}</ul>"
        f"<form method=post>{page.hidden(do='pull', service_id=service_id)}<button>Fetch my records</button></form></div>"
    )


def find(network: "Network", patient: Patient) -> str:
    """Choose a hospital; then what it found, and the OTP."""
    places = page.choice(
        "Hospital or clinic", "service_id", ((each.service_id, each.name) for each in network.facilities.values())
    )
    asked = [each for each in network.discoveries.values() if each.address == patient.address]
    found = "".join(_found(network, each) for each in reversed(asked[-_SHOWN_AT_MOST:]))
    return (
        f"<form method=post class=card>{page.hidden(do='look')}{places}"
        "<label>Your number there, if you know it<input name=number maxlength=60 autocomplete=off></label>"
        f"<button>Find my records</button></form>{found}"
    )


def _found(network: "Network", found: Discovery) -> str:
    good = found.state not in ("none", "refused")
    head = f"<h3>{escape(_name(network, found.service_id))}</h3><div>{page.tag(_STATES[found.state], good=good)}</div>"
    return f"<div class=card>{head}{_error(found.error)}{_step(found)}</div>"


def _step(found: Discovery) -> str:
    if found.state == "found":
        choices = [
            (context["referenceNumber"], f"{context['display']} · {block['hiType']}")
            for block in found.blocks
            for context in block["careContexts"]
        ]
        boxes = page.ticks("chosen", choices)
        return (
            f"<form method=post>{page.hidden(do='choose', transaction=found.transaction)}"
            f"<fieldset><legend>Which of them shall be linked?</legend>{boxes}</fieldset><button>Link these</button></form>"
        )
    if found.state == "otp":
        return (
            f"<form method=post>{page.hidden(do='type', transaction=found.transaction)}"
            f"<label>The OTP that the hospital sent to {escape(found.hint or 'your phone')}"
            "<input name=otp inputmode=numeric autocomplete=one-time-code maxlength=12 required></label>"
            "<button>Confirm</button></form>"
        )
    return ""


def requests(network: "Network", patient: Patient) -> str:
    """Who asks for records, and what was said to them."""
    asked = [each for each in network.asked.values() if each.address == patient.address]
    cards = "".join(_asked(network, each) for each in reversed(asked[-_SHOWN_AT_MOST:]))
    return cards or (
        '<p class=soft>Nobody has asked for your records. Let somebody ask under <a href="/hius">Other hospitals</a>.</p>'
    )


def _asked(network: "Network", request: ConsentRequest) -> str:
    wanted = request.wanted
    kinds = "".join(page.tag(kind) for kind in wanted.hi_types)
    head = (
        f"<h3>{escape(request.hiu.name)}</h3><div>{page.tag(request.status, good=request.status != 'DENIED')}</div>"
        f"<small>Purpose {wanted.purpose} · kept until {page.day(wanted.erase_at)}</small><div class=tags>{kinds}</div>"
    )
    parts = "".join(_part(network, network.artefacts[each]) for each in request.artefacts)
    return f"<div class=card>{head}{_question(request) if request.status == 'REQUESTED' else parts}</div>"


def _question(request: ConsentRequest) -> str:
    wanted = request.wanted
    return (
        f"<form method=post>{page.hidden(request=request.id)}<div class=row>"
        f"{page.date('Records from', 'since', wanted.since)}{page.date('to', 'until', wanted.until)}</div>"
        "<small>You give your consent for these dates only, and may take it back at any time.</small>"
        "<div class=row><button name=do value=allow>Allow</button>"
        "<button class=plain name=do value=decline>Decline</button></div></form>"
    )


def _part(network: "Network", artefact: Artefact) -> str:
    since, until = artefact.dates
    heard = "the hospital acknowledged it" if artefact.status in artefact.acknowledged else "not acknowledged yet"
    revoke = (
        f"<form method=post>{page.hidden(do='revoke', consent=artefact.id)}<button class=plain>Take it back</button></form>"
        if artefact.status == "GRANTED"
        else ""
    )
    return (
        f"<div><b>{escape(_name(network, artefact.service_id))}</b> "
        f"{page.tag(artefact.status, good=artefact.status == 'GRANTED')}<br>"
        f"<small>{page.day(since)} to {page.day(until)} · {len(artefact.references)} care contexts · {heard}</small></div>"
        f"{revoke}"
    )


def scan(network: "Network", patient: Patient) -> str:
    """The text of a counter's code, and the tokens that came back."""
    facility = next(iter(network.facilities), "")
    code = f"https://phrsbx.abdm.gov.in/share-profile?hip-id={facility}&counter-id=OPD1"
    shares = [each for each in network.shares.values() if each.address == patient.address]
    cards = "".join(_share(network, each) for each in reversed(shares[-_SHOWN_AT_MOST:]))
    return (
        f"<form method=post class=card>{page.hidden(do='scan')}<label>What the code at the counter says"
        f"<textarea name=code rows=3 required>{escape(code)}</textarea></label>"
        "<small>You share your name, gender, date of birth, address and mobile with this facility.</small>"
        f"<button>Share my profile</button></form>{cards}"
    )


def _share(network: "Network", share: Share) -> str:
    if share.state == "acknowledged":
        minutes = (share.expiry_seconds or 0) // 60
        said = f"<b>Token {escape(share.token or '')}</b><small>valid for {minutes} minutes</small>"
    else:
        said = page.tag(share.state.replace("_", " "), good=share.state == "waiting") + _error(share.error)
    return (
        f"<div class=card><h3>{escape(_name(network, share.service_id))}</h3>"
        f"<small>Counter {escape(share.counter)} · {page.clock(share.at)}</small>{said}</div>"
    )


def transfer(network: "Network", moved: Transfer) -> str:
    """One transfer: how it ended, what came, what was wrong with it."""
    good = moved.state not in ("refused", "FAILED") and not moved.faults
    entries = "".join(_entry(each) for each in moved.entries)
    faults = "".join(f"<li><small>{escape(each.section)}: {escape(each.what)}</small></li>" for each in moved.faults)
    return (
        f"<div class=card><h3>{escape(_name(network, moved.service_id))}</h3><div>{page.tag(moved.state, good=good)}</div>"
        f"<small>{page.clock(moved.asked_at)} · {len(moved.entries)} entries · key {moved.key_form}</small>"
        f"{_error(moved.error)}{entries}{f'<ul>{faults}</ul>' if faults else ''}</div>"
    )


def _entry(received: Received) -> str:
    if received.plain is None:
        return f"<p>{page.tag('Cannot be opened', good=False)} <small>{escape(received.reference)}</small></p>"
    try:
        text = json.dumps(json.loads(received.plain), indent=1, ensure_ascii=False)
    except ValueError:
        text = received.plain.decode("utf-8", "replace")
    title = f"{received.hi_type or 'Document'} · {received.reference}"
    return f"<details><summary>{escape(title)}</summary><pre tabindex=0>{escape(text)}</pre></details>"


def _error(error: dict[str, Any] | None) -> str:
    if not error:
        return ""
    return f'<p class="notice bad">{escape(str(error.get("code")))} {escape(str(error.get("message")))}</p>'


def _name(network: "Network", service_id: str) -> str:
    facility = network.facilities.get(service_id)
    return facility.name if facility else service_id
