"""How fast, and in how little memory, an evidence bundle is written and verified: prints one JSON object.

Each half runs in a process of its own, so that each has its own peak. `python benchmarks/bundle.py [ENTRIES]`
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from gateway.ledger.bundle import BundleWriter  # noqa: E402
from gateway.ledger.checkpoint import Checkpoint, Signer  # noqa: E402
from gateway.ledger.entry import canonical, timestamp  # noqa: E402
from gateway.ledger.merkle import Edge, leaf_hash  # noqa: E402
from gateway.ledger.verify import verify_bundle  # noqa: E402

TENANT = "t9f2c1b7a6d5e4f30"
SIGNER = Signer(f"gateway.example/t/{TENANT}", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
START = datetime(2026, 1, 1, tzinfo=UTC)


def entries(count: int) -> Iterator[bytes]:
    """Intents of about 900 bytes, each with its outcome made as long."""
    for index in range(count):
        disclosure = f"0196f2b4-7c1e-7a55-9b1f-{index // 2:012x}"
        common = {
            "v": 1,
            "index": index,
            "at": timestamp(START + timedelta(seconds=index)),
            "tenant": TENANT,
            "disclosure": disclosure,
        }
        if index % 2:
            padding = [[f"answer.field_{number:02}", "operational"] for number in range(19)]
            yield canonical(
                {**common, "kind": "outcome", "intent": index - 1, "outcome": "accepted", "received": padding}
            )
        else:
            yield canonical({**common, **_INTENT})


_INTENT = {
    "kind": "intent",
    "connector": "payments/stripe",
    "action": "create_payment_intent",
    "connection": "0196f2b4-0000-7a55-9b1f-3c2d1e0f9a8b",
    "purpose": "HPAYMT",
    "recipient": {"name": "Stripe Payments Europe, Limited", "role": "processor", "country": "IE"},
    "subject": "8b3f0e2c9a7d41565f0c3b2a19e8d7c6b5a4938271605f4e3d2c1b0a99887766",
    "fields": [["amount_minor", "billing"], ["currency", "billing"], ["customer", "identifier"]],
    "withheld": ["patient_name", "notes"],
    "payload": {"commitment": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "length": 182},
    "standing": 17,
    "rules": ["connection_active", "feature_on", "purpose_allowed", "scopes_held"],
    "actor": {"kind": "api_key", "id": "key_5f2a"},
    "request": "0196f2b4-7c1e-7a55-9b1f-aaaaaaaaaaaa",
}


def write(path: Path, count: int) -> dict[str, float]:
    """Write a bundle of one run that is the whole log."""
    edge, made = Edge(), 0
    began, total = perf_counter(), 0
    for entry in entries(count):
        edge.append(leaf_hash(entry))
        total += len(entry)
    made_seconds = perf_counter() - began
    checkpoint = SIGNER.sign(Checkpoint(SIGNER.name, edge.size, edge.root()))
    began = perf_counter()
    with path.open("w+b") as file, BundleWriter(file, checkpoint=checkpoint, signer=SIGNER, query={}) as bundle:
        bundle.begin(0, count, [])
        for entry in entries(count):
            bundle.add(entry, leaf_hash(entry))
            made += 1
        bundle.finish()
    seconds = perf_counter() - began - made_seconds
    return {"write_seconds": round(seconds, 3), "write_peak_mb": peak_mb(), "mean_entry_bytes": round(total / made)}


def verify(path: Path, _count: int) -> dict[str, float]:
    """Verify it as an auditor does, with the key at hand."""
    began, cpu = perf_counter(), process_time()
    verify_bundle(path, trusted_vkey=SIGNER.vkey)
    seconds, cpu_seconds = perf_counter() - began, process_time() - cpu
    return {
        "verify_seconds": round(seconds, 3),
        "verify_cpu_seconds": round(cpu_seconds, 3),
        "verify_peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """The most memory that this process has had resident."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


HALVES = {"write": write, "verify": verify}


def main() -> None:
    """Run both halves and print their figures together."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    if len(sys.argv) == 4:
        print(json.dumps(HALVES[sys.argv[2]](Path(sys.argv[3]), count)))
        return
    figures: dict[str, float] = {"entries": count}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        for half in HALVES:
            command = [sys.executable, __file__, str(count), half, str(path)]
            figures |= json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        figures["bundle_mb"] = round(path.stat().st_size / 1e6, 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
