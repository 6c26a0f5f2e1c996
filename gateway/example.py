"""The demo's example call: made, looked up and proved, then shown. A first-time user reads this before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.calls import Actor, Answer, Call
from gateway.flows.broker import broker
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.merkle import leaf_hash, verify_inclusion
from gateway.ledger.proofs import InclusionProof
from gateway.store import disclosures
from scopes.vocabulary import Purpose

if TYPE_CHECKING:
    from gateway.demo import Demo

_PAYLOAD = {
    "reference": "inv_7Hq2ZkW9",
    "amount_minor": 4250,
    "currency": "eur",
    "product": "appointment",
    "patient_name": "Ada Example",
    "diagnosis": "invented, and not declared by this action",
}


@dataclass(frozen=True, slots=True)
class Example:
    """What the example call gave, and what the ledger says about it."""

    answer: Answer
    entries: list[dict[str, Any]]
    proof: InclusionProof

    def line(self) -> dict[str, Any]:
        """The example as a JSON line."""
        return {
            "example": {
                "id": str(self.answer.id),
                "outcome": str(self.answer.outcome),
                "answer": dict(self.answer.answer),
                "withheld": list(self.answer.withheld),
                "entries": self.entries,
            }
        }


async def made(clinic: Demo) -> Example:
    """Make the call, look its disclosure up, and check its proof as an auditor would."""
    from gateway.demo import EVERYTHING

    rooms, tenant = clinic.house.rooms, clinic.tenant
    actor = Actor("system", "demo", tenant, EVERYTHING)
    call = Call(actor, "payments", "create_payment_link", Purpose.HPAYMT, _PAYLOAD, "example", subject="patient-4711")
    answer = await broker(call, rooms)
    assert isinstance(answer, Answer)  # it reaches no person, so there is nothing to wait for
    async with rooms.store.tenant(tenant) as connection:
        bodies = await disclosures.bodies(connection, tenant, answer.id)
    proof = await rooms.proofs.inclusion(tenant, answer.index)
    head = open_checkpoint(proof.checkpoint, [rooms.proofs.signer(tenant).verifier])
    verify_inclusion(index=proof.index, size=proof.size, leaf=leaf_hash(bodies[0]), proof=proof.hashes, root=head.root)
    return Example(answer, [orjson.loads(body) for body in bodies], proof)


def shown(example: Example) -> None:
    """Print it for a person."""
    console = Console()
    intent, outcome = example.entries[0], example.entries[-1]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    recipient = intent["recipient"]
    table.add_row("To", f"{recipient['name']}, {recipient['country']} (here: its sandbox on this machine)")
    table.add_row("Why", f"{intent['purpose']}, feature {intent['feature']}")
    table.add_row("What left", ", ".join(f"{path} ({category})" for path, category in intent["fields"]))
    table.add_row("What stayed", Text(", ".join(intent["withheld"]), style="green"))
    table.add_row("Outcome", f"{outcome['outcome']} after {outcome['attempts']} attempt")
    table.add_row("Payment link", str(example.answer.answer.get("url", "")))
    table.add_row(
        "Written first", f"entry {intent['index']}, at {intent['at']}; the outcome is entry {outcome['index']}"
    )
    proof = example.proof
    table.add_row(
        "Proved", f"{len(proof.hashes)} hashes lead from entry {proof.index} to the signed root of {proof.size} entries"
    )
    console.print()
    console.print(Panel(table, title="An example call, and what the ledger says about it", expand=False))


def introduced(clinic: Demo) -> None:
    """Print where the demo is and what to try."""
    console = Console()
    console.print()
    console.print("[bold]Clinic Gateway[/] serves on", clinic.url, style="bold", highlight=False)
    owner = clinic.people["owner"]
    console.print("Sign in at   ", clinic.sign_in_url, style="bold", highlight=False)
    console.print("as           ", f"{owner['email']}  password {owner['password']}", highlight=False, soft_wrap=True)
    console.print("API key      ", clinic.api_key, highlight=False, soft_wrap=True)
    console.print("Clinic       ", str(clinic.tenant), highlight=False)
    console.print()
    console.print("Try it:", highlight=False)
    console.print(_curl(clinic), highlight=False, soft_wrap=True, markup=False)
    console.print()
    if clinic.phones:
        console.print(
            "See what a patient would read (nobody has consented yet: give a consent first, on the pages or by API):"
        )
        for title, page in clinic.phones.items():
            console.print(f"  {title:<10} {page}", highlight=False)
        console.print()
    console.print(
        "Hear of it: docs/receive-a-webhook.md says how an endpoint is registered and verified.", highlight=False
    )
    console.print()
    console.print("Stop with Ctrl-C. The next start finds everything again.", highlight=False)


def _curl(clinic: Demo) -> str:
    payload = orjson.dumps(
        {"connector": "payments", "action": "create_payment_link", "purpose": "HPAYMT", "payload": _PAYLOAD}
    )
    return (
        f"  curl -s {clinic.url}/v1/calls -H 'Authorization: Bearer {clinic.api_key}' \\\n"
        f"    -H 'Content-Type: application/json' -d '{payload.decode()}'"
    )
