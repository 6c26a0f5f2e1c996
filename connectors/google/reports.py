"""Counts for a spreadsheet, with small ones left out. Whoever reads it must not be able to work them out again.

A count below the smallest allowed is not shown, none at all included: that nobody had something also says a thing about
somebody. Where one count alone is left out, or few together, the smallest of the others is left out with them, and no
total is shown: the total less what is shown would be what is not.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from connectors.errors import Rejected
from connectors.google.actions import AppendReport, Line
from connectors.google.fields import Measure

SMALLEST: Final = 5
LEFT_OUT: Final = "left out"
TOTAL: Final = "total"
HEAD: Final = ("month", "measure", "label", "count")

_WEEKDAYS: Final = "monday tuesday wednesday thursday friday saturday sunday"
_AGES: Final = "age_0_5 age_6_17 age_18_39 age_40_64 age_65_79 age_80_up"
_OTHERS: Final = (
    "all in_person by_video by_phone online new returning morning afternoon evening sms whatsapp email other"
)
#: The words that any clinic's report may use; a clinic lists more of its own in the setting report_labels.
LABELS: Final = frozenset(f"{_WEEKDAYS} {_AGES} {_OTHERS}".split())
#: Words for the sum of other lines: a total that a host adds would undo what is left out.
_SUMS: Final = frozenset({"total", "totals", "sum", "subtotal", "overall", "grand_total"})

NAMES: Final[Mapping[Measure, str]] = {each: f"Clinic Gateway: {each.value.replace('_', ' ')}" for each in Measure}

Row = tuple[str | int, ...]


def rows(fields: AppendReport, settings: Mapping[str, str]) -> tuple[list[Row], int]:
    """The rows to write, and how many counts are left out. Raises Rejected for a label that is not listed."""
    listed = LABELS | frozenset(filter(None, settings.get("report_labels", "").split(",")))
    if any(line.label not in listed or line.label in _SUMS for line in fields.lines):
        raise Rejected("label_not_listed")
    if len(fields.lines) > 1 and any(line.label == "all" for line in fields.lines):
        raise Rejected("total_among_lines")
    smallest = max(SMALLEST, int(settings.get("smallest_count", SMALLEST)))
    hidden = left_out(fields.lines, smallest)
    shown = [LEFT_OUT if at in hidden else line.count for at, line in enumerate(fields.lines)]
    made: list[Row] = [
        (fields.month, fields.measure.value, line.label, count) for line, count in zip(fields.lines, shown, strict=True)
    ]
    if len(fields.lines) > 1:
        total = LEFT_OUT if hidden else sum(line.count for line in fields.lines)
        made.append((fields.month, fields.measure.value, TOTAL, total))
    return made, len(hidden)


def left_out(lines: Sequence[Line], smallest: int) -> frozenset[int]:
    """The places of the lines whose counts are not shown."""
    hidden = {at for at, line in enumerate(lines) if line.count < smallest}
    shown = sorted((at for at in range(len(lines)) if at not in hidden), key=lambda at: lines[at].count)
    # Whoever knows the total from elsewhere subtracts what is shown: what is left must be several counts, and not few.
    while hidden and shown and (len(hidden) == 1 or sum(lines[at].count for at in hidden) < smallest):
        hidden.add(shown.pop(0))
    return frozenset(hidden)
