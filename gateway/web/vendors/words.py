"""How endpoints and deliveries stand, in words: a badge's text and tone, and a sentence where there is more to say."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from gateway.flows.schedule import Health
from gateway.webhooks.endpoints import Endpoint, Status, Why

STATES: Final = {
    "waiting": ("Waiting", "wait"),
    "delivered": ("Delivered", "good"),
    "exhausted": ("Given up", "bad"),
    "refused": ("Refused", "bad"),
    "cancelled": ("Cancelled", "off"),
}
OUTCOMES: Final = {
    "accepted": ("Accepted", "good"),
    "rejected": ("Rejected", "bad"),
    "failed": ("Failed", "bad"),
    "unknown": ("Unknown", "warn"),
    "refused": ("Refused", "warn"),
}
_WELL: Final = Health()


def stands(endpoint: Endpoint, health: Health | None, now: datetime) -> dict[str, Any]:
    """How an endpoint stands: a word, a tone, and why."""
    health = health or _WELL
    match endpoint.status:
        case Status.PENDING:
            return _told("Not proved", "wait", "It has to echo a challenge before it hears anything.")
        case Status.SUSPENDED:
            return _told("Paused", "off", "The clinic paused it. What happens meanwhile passes it by.")
        case Status.REMOVED:
            return _told("Removed", "off", "Its secrets are destroyed. Register it anew to use it again.")
        case Status.OFF if endpoint.why == Why.GONE:
            return _told(
                "Off", "bad", "It answered 410: gone. Resume it once it is there again; it proves itself anew."
            )
        case Status.OFF:
            return _told("Off", "bad", "It took nothing for five days. Resume it once it works; it proves itself anew.")
    return _lately(health, now)


def _lately(health: Health, now: datetime) -> dict[str, Any]:
    """How an active endpoint's deliveries went lately."""
    failing = (
        f"It has taken nothing lately: {health.failures} {'failure' if health.failures == 1 else 'failures in a row'}."
    )
    if health.paused(now):
        return _told(
            "Resting", "warn", f"{failing} It is left alone for a while, then tried again.", health.paused_until
        )
    if health.failing_since is not None:
        used = health.used_up(now)
        return _told(
            "Failing", "warn", f"{failing} {used} % of five days' patience is used up; then it is switched off."
        )
    return _told("Active", "good", "It takes what it is told.")


def _told(state: str, tone: str, why: str, until: datetime | None = None) -> dict[str, Any]:
    return {"state": state, "tone": tone, "why": why, "until": until}
