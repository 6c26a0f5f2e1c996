"""What a manifest may say about OAuth, and what it may not: each refused with the reason."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.manifest import Manifest
from connectors.oauth import OAuthRule

ROOT = Path(__file__).parents[1] / "conformance" / "oauth_root" / "plan"
DIRECTORY = "6f0c8a52-3f1e-4d7b-9a55-0d6f1a2b3c4d"


def written(name: str) -> dict[str, Any]:
    """A good manifest, to be spoiled."""
    return {"id": f"plan/{name}", **tomllib.loads((ROOT / name / "manifest.toml").read_text())}


def rule(name: str, **given: Any) -> OAuthRule:
    """The OAuth part of a good manifest, with this said otherwise."""
    return OAuthRule.model_validate({**written(name)["credential"]["oauth"], **given})


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("calendar", {"token_url": "http://tokens.calendar.example/o/token"}, "must read https"),
        ("calendar", {"token_url": "https://{account}.example/o/token"}, "must read https"),
        ("calendar", {"token_url": "https://tokens.calendar.example/{host}/token"}, "only {account}"),
        ("calendar", {"authorize_url": None}, "needs authorize_url"),
        ("calendar", {"authorize_parameters": {"state": "fixed"}}, "writes state itself"),
        ("calendar", {"authorize_parameters": {"include_granted_scopes": "true"}}, "leave it false"),
        ("calendar", {"authorize_url": "https://accounts.calendar.example/o?prompt=none"}, "written for each request"),
        ("calendar", {"identity_scopes": ["openid"]}, "needs jwks_url"),
        ("calendar", {"identity_scopes": ["two words"]}, "one word"),
        ("calendar", {"granted": "roles"}, "for client_credentials"),
        ("calendar", {"token_url": "https://tokens.calendar.example/{account}/token"}, "or none"),
        ("roster", {"token_url": "https://login.roster.example/common/oauth2/v2.0/token"}, "clinic's own directory"),
        ("roster", {"token_url": "https://login.roster.example/Organizations/token"}, "clinic's own directory"),
        ("roster", {"refresh": "rotates"}, "refresh = 'none'"),
        ("roster", {"application_scope": None}, "needs application_scope"),
        ("roster", {"admin_consent_url": None}, "needs admin_consent_url"),
        ("calendar", {"library": "msal"}, "directory in the path"),
        ("roster", {"library": "google-auth"}, "google-auth"),
        ("roster", {"surprise": 1}, "Extra inputs"),
    ],
)
def test_a_rule_that_would_weaken_the_flow_does_not_load(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("{", r"\{")):
        rule(name, **given)


@pytest.mark.parametrize(
    ("part", "given", "said"),
    [
        ("credential", {"oauth": None}, "belongs to kind"),
        ("credential", {"kind": "api_key"}, "belongs to kind"),
        ("credential", {"apply": "basic"}, "bearer token"),
        ("credential", {"account_needed": False}, "account_needed"),
        ("credential", {"account_pattern": "[a-z]+"}, "common"),
        ("provider_scopes", {"Roster.Read.All": {"title": "Read"}}, "application:NAME"),
    ],
)
def test_a_manifest_says_how_its_oauth_fits(part: str, given: dict[str, Any], said: str) -> None:
    manifest = written("roster")
    manifest[part] = {**manifest[part], **given}
    with pytest.raises(ValidationError, match=said):
        Manifest.model_validate(manifest)


def test_the_scopes_of_a_person_are_not_written_as_an_application_s() -> None:
    manifest = written("calendar")
    manifest["provider_scopes"] = {**manifest["provider_scopes"], "application:x": {"title": "An application's"}}
    with pytest.raises(ValidationError, match="application:NAME"):
        Manifest.model_validate(manifest)


def test_the_gateway_goes_to_the_token_s_hosts_and_a_connector_does_not() -> None:
    manifest = Manifest.model_validate(written("calendar"))
    assert manifest.credential.oauth is not None
    assert manifest.credential.oauth.hosts() == {"tokens.calendar.example"}
    assert manifest.credential.oauth.hosts().isdisjoint(manifest.hosts)


def test_an_address_is_filled_with_a_directory_and_with_nothing_else() -> None:
    filled = rule("roster").at(rule("roster").token_url, DIRECTORY)
    assert filled == f"https://login.roster.example/{DIRECTORY}/oauth2/v2.0/token"
    for wrong in (None, "", "common", "Organizations", "a/b", "..", "a?b", "a b"):
        with pytest.raises(ValueError, match="directory"):
            rule("roster").at(rule("roster").token_url, wrong)


def test_scopes_have_short_names_here_and_the_vendor_s_there() -> None:
    google = rule("calendar", identity_scopes=["offline"], tolerated_scopes=["email"])
    wire = google.on_wire({"freebusy", "events"})
    assert wire == "https://calendar.example/auth/events https://calendar.example/auth/freebusy offline"
    assert google.from_wire(f"{wire} email") == {"freebusy", "events"}
    assert google.from_wire("https://calendar.example/auth/acls surprise") == {"acls", "surprise"}
    assert google.from_wire("") == frozenset()
