"""Run every measurement, print the table and write latest.json. Exit code 0 whatever the figures say.

BENCH_SECONDS is the length of one measurement (default 1), BENCH_ROUNDS how often each is repeated (default 5);
BENCH_SUBJECTS picks some, as in `BENCH_SUBJECTS=B,C`; W is everything about webhooks, whose storm has BENCH_STORM events
(default 20,000, which take some twenty minutes); P is records that are encrypted and pushed. S, which has to be asked for,
searches a year of a million disclosures (four minutes, 3 GB on disk).
"""

import json
import os
import sys
from pathlib import Path

from benchmarks import auditor, ledger, pushes, report, webhooks
from benchmarks.measure import Figure, Settings, figures, wants

LATEST = Path(__file__).with_name("latest.json")


def main() -> None:
    """Measure, print, write."""
    settings = Settings(
        seconds=float(os.environ.get("BENCH_SECONDS", "1")),
        rounds=int(os.environ.get("BENCH_ROUNDS", "5")),
        subjects=tuple(name for name in os.environ.get("BENCH_SUBJECTS", "").split(",") if name),
    )
    measured: list[Figure] = []
    for figure in figures(settings):
        measured.append(figure)
        if sys.stderr.isatty():
            print(f"\r{len(measured)} measured, now {figure.subject} {figure.callers:<4}", end="", file=sys.stderr)
    appends = ledger.appends(settings.seconds)
    storm_events = int(os.environ.get("BENCH_STORM", str(webhooks.STORM_EVENTS)))
    webhook = webhooks.measured(settings.seconds, settings.rounds, storm_events) if wants(settings, "W") else None
    pushed = pushes.measured(settings.seconds, settings.rounds) if wants(settings, "P") else None
    audited = auditor.measured() if "S" in settings.subjects else None
    summary = report.summarise(settings, measured, appends, webhook, audited, pushed)
    print("\n" + report.table(summary))
    LATEST.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
