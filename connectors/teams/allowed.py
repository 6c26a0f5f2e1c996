"""Which teams may be reached: those that the clinic named. Microsoft's application permissions know no such bound."""

from connectors.contract import Egress, OutOfBounds


def allowed(team: str, egress: Egress) -> str:
    """The team, where the clinic named it; raises OutOfBounds otherwise, and where it named none. Nothing has left then."""
    if team.lower() not in _named(egress.settings.get("teams", "")):
        raise OutOfBounds("team_not_allowed")
    return team.lower()


def _named(setting: str) -> frozenset[str]:
    """The ids in a list with commas; whole ids, so that no part of one counts."""
    return frozenset(name for each in setting.split(",") if (name := each.strip().lower()))
