"""What a manifest may name, and what a request makes of it."""

import httpx2
import pytest

from connectors.contract import AnswerRefused
from gateway.egress import RequestRefused, Route
from gateway.egress.letter import place_of

STRIPE = Route(frozenset({"api.stripe.com", "files.stripe.com", "alt.stripe.com:8443"}), "https://api.stripe.com")
GRAPH = Route(frozenset({"graph.microsoft.com"}), "https://graph.microsoft.com/v1.0")


def place(url: str, route: Route = STRIPE) -> tuple[str, int, str]:
    origin, path = place_of(httpx2.Request("GET", url), route)
    return origin.host, origin.port, path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.stripe.com/v1/refunds?limit=3", ("api.stripe.com", 443, "/v1/refunds?limit=3")),
        ("https://API.Stripe.com:443/v1", ("api.stripe.com", 443, "/v1")),
        ("https://api.stripe.com", ("api.stripe.com", 443, "/")),
        ("https://api.stripe.com?a=b", ("api.stripe.com", 443, "/?a=b")),
        ("https://api.stripe.com/v1#part", ("api.stripe.com", 443, "/v1")),
        ("https://files.stripe.com//v1", ("files.stripe.com", 443, "//v1")),
        ("https://alt.stripe.com:8443/", ("alt.stripe.com", 8443, "/")),
        ("https://api.stripe.com/v1?next=/../x", ("api.stripe.com", 443, "/v1?next=/../x")),
    ],
)
def test_a_named_host_is_reached_with_its_path(url: str, expected: tuple[str, int, str]) -> None:
    assert place(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/",
        "https://api.stripe.com.evil.test/",
        "https://apixstripe.com/",
        "https://stripe.com/",
        "https://sub.api.stripe.com/",
        "https://api.stripe.com:8443/",
        "https://alt.stripe.com/",
        "https://api.stripe.com./",
        "https://user@api.stripe.com/",
        "https://user:secret@api.stripe.com/",
        "https://api.stripe.com@evil.test/",
        "https://api.stripe.com\\@evil.test/",
        "https://evil.test\\.api.stripe.com/",
        "https://api.stripe.com%2eevil.test/",
        "https://api.strıpe.com/",
        "https://xn--api-stripe.com/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "ftp://api.stripe.com/",
        "//api.stripe.com/v1",
        "/v1",
    ],
)
def test_a_host_that_the_manifest_does_not_name_is_refused(url: str) -> None:
    try:
        request = httpx2.Request("GET", url)
    except httpx2.InvalidURL:
        return  # not even a request
    with pytest.raises(AnswerRefused) as refused:
        place_of(request, STRIPE)
    assert refused.value.code == "host_not_allowed"


def test_a_named_host_without_tls_is_refused() -> None:
    with pytest.raises(AnswerRefused) as refused:
        place("http://api.stripe.com/v1")
    assert refused.value.code == "insecure_scheme"


def test_an_international_name_matches_in_either_spelling() -> None:
    route = Route(frozenset({"klinik-zürich.example"}), "https://klinik-zürich.example")
    assert place("https://xn--klinik-zrich-klb.example/a", route) == place("https://klinik-zürich.example/a", route)


@pytest.mark.parametrize(
    "host",
    [
        "api.stripe.com/v1",
        "user@api.stripe.com",
        "api.stripe.com.",
        "*.stripe.com",
        "",
        "api stripe.com",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "api.stripe.com?x",
        "api.stripe.com#x",
        "-a.test",
        "a\\b.test",
    ],
)
def test_a_manifest_cannot_name_what_is_no_host(host: str) -> None:
    with pytest.raises(ValueError, match="not "):
        Route(frozenset({host, "api.stripe.com"}), "https://api.stripe.com")


@pytest.mark.parametrize("base", ["https://other.test", "ftp://api.stripe.com", "https://api.stripe.com?x=1", "stripe"])
def test_a_base_address_must_lie_on_a_named_host(base: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Route(frozenset({"api.stripe.com"}), base)


@pytest.mark.parametrize(
    "path",
    [
        "/beta/me",
        "/v1.0x/me",
        "/",
        "/v1.0/../beta",
        "/v1.0/%2e%2e/beta",
        "/v1.0/.%2E/beta",
        "/v1.0/..%2fbeta",
        "/v1.0/a%5c..%5cb",
        "/v1.0/a\\..\\b",
    ],
)
def test_a_path_outside_the_base_address_is_refused(path: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        place(f"https://graph.microsoft.com{path}", GRAPH)
    assert refused.value.code == "path_not_allowed"


@pytest.mark.parametrize("path", ["/v1.0", "/v1.0/me", "/v1.0?x=1", "/v1.0/a.b/c%2Fd", "/v1.0/..."])
def test_a_path_under_the_base_address_is_taken(path: str) -> None:
    assert place(f"https://graph.microsoft.com{path}", GRAPH)[2] == path


META = Route(frozenset({"graph.facebook.com"}), "https://graph.facebook.com/v23.0")
GOOGLE = Route(frozenset({"www.googleapis.com"}), "https://www.googleapis.com")
ADS = Route(frozenset({"www.google-analytics.com"}), "https://www.google-analytics.com")


def test_whatsapp_is_reached_at_metas_host() -> None:
    assert place("https://graph.facebook.com/v23.0/10654/messages", META)[2] == "/v23.0/10654/messages"
    assert place("https://www.googleapis.com/calendar/v3/events", GOOGLE)[2] == "/calendar/v3/events"


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("https://graph.facebook.com/v23.0/10654/events", META),
        ("https://graph.facebook.com/v23.0/10654/%65vents?x=1", META),
        ("https://graph.facebook.com/v23.0//10654//events", META),
        ("https://graph.facebook.com/v23.0", META),
        ("https://graph.facebook.com/v23.0/", META),
        ("https://www.googleapis.com/analytics/v3/data", GOOGLE),
        ("https://www.google-analytics.com/mp/collect", ADS),
    ],
)
def test_the_door_is_closed_to_places_of_advertising_and_tracking(url: str, route: Route) -> None:
    with pytest.raises(RequestRefused) as refused:
        place(url, route)
    assert refused.value.code == "tracking_refused"
