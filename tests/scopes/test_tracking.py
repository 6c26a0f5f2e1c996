"""Places of advertising and tracking: what is on the list is found under any name below it, and nothing beside it is."""

from dataclasses import replace

import pytest

from scopes import tracking
from scopes.consent import Channel
from scopes.decision import Denied
from scopes.policy import Policy
from scopes.tracking import is_for_tracking, may_track, only_tracks, tracks
from scopes.vocabulary import Category
from tests.scopes.test_standing import BAA, GIVEN, RULE, codes, decided


@pytest.mark.parametrize(
    "host",
    [
        "google-analytics.com", "www.google-analytics.com", "region1.google-analytics.com", "WWW.Google-Analytics.com.",
        "www.googleadservices.com", "ad.doubleclick.net", "www.googletagmanager.com", "connect.facebook.net",
        "analytics.tiktok.com", "business-api.tiktok.com", "bat.bing.com", "px.ads.linkedin.com", "snap.licdn.com",
        "static.hotjar.com", "rs.fullstory.com", "api.segment.io", "api.mixpanel.com", "api2.amplitude.com",
        "tr.snapchat.com", "sslwidget.criteo.com", "trc.taboola.com", "googleads.googleapis.com",
        "datamanager.googleapis.com", "www.clarity.ms", "ct.pinterest.com", "analytics.twitter.com", "alb.reddit.com",
        "c.amazon-adsystem.com", "app-measurement.com", "analyticsdata.googleapis.com", "match.adsrvr.org",
    ],
)  # fmt: skip
def test_a_place_of_advertising_or_tracking_is_one_on_every_path(host: str) -> None:
    assert tracks(host)
    assert tracks(host, "/whatever?it=says")
    assert may_track(host)


@pytest.mark.parametrize(
    "host",
    [
        "api.stripe.com", "www.googleapis.com", "oauth2.googleapis.com", "calendar-json.googleapis.com",
        "graph.microsoft.com", "login.microsoftonline.com", "api.twilio.com", "api.razorpay.com", "dev.abdm.gov.in",
        "notgoogle-analytics.com", "google-analytics.com.clinic.example", "hotjar.clinic.example", "localhost",
        "127.0.0.1", "segment.community", "clinic.example",
    ],
)  # fmt: skip
def test_a_place_beside_the_list_is_none(host: str) -> None:
    assert not tracks(host)
    assert not tracks(host, "/v1/events")


@pytest.mark.parametrize(
    ("host", "path", "refused"),
    [
        ("graph.facebook.com", "/v23.0/106540352242922/messages", False),
        ("graph.facebook.com", "/v23.0/106540352242922/media", False),
        ("graph.facebook.com", "/v23.0/102290129340398/message_templates?limit=9", False),
        ("graph.facebook.com", "/v23.0/1234567890/phone_numbers", False),
        ("graph.facebook.com", "/v23.0/1234567890", False),
        ("graph.facebook.com", "/v23.0/1234567890/events", True),
        ("graph.facebook.com", "/1234567890/events", True),
        ("graph.facebook.com", "/v23.0//1234567890///Events/", True),
        ("graph.facebook.com", "/v23.0/1234567890/%65v%65nts?access_token=x", True),
        ("graph.facebook.com", "/v23.0/1234567890/%2565vents", True),
        ("graph.facebook.com", "/v23.0/1234567890/events;x=1", True),
        ("graph.facebook.com", "/v23.0/act_123/customaudiences", True),
        ("graph.facebook.com", "/v23.0/6012345/users", True),
        ("graph.facebook.com", "/v23.0/1234567890/activities", True),
        ("graph.facebook.com", "/", True),  # a batch, whose requests lie in its body
        ("graph.facebook.com", "/v23.0/", True),
        ("www.facebook.com", "/tr/?id=1", True),
        ("www.facebook.com", "/clinic", False),
        ("www.google.com", "/pagead/conversion/1", True),
        ("www.google.com", "/calendar", False),
        ("www.googleapis.com", "/calendar/v3/calendars/primary/events", False),
        ("www.googleapis.com", "/analytics/v3/data", True),
        ("www.googleapis.com", "/upload/analytics/v3/management", True),
        ("api.linkedin.com", "/rest/conversionEvents", True),
        ("api.linkedin.com", "/v2/userinfo", False),
    ],
)
def test_where_a_company_has_other_services_too_the_path_decides(host: str, path: str, refused: bool) -> None:
    assert may_track(host)
    assert not only_tracks(host)
    assert tracks(host, path) is refused


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        ("https://www.googleapis.com/auth/adwords", True),
        ("https://www.googleapis.com/auth/datamanager", True),
        ("https://www.googleapis.com/auth/datamanager.partnerlink", True),
        ("https://www.googleapis.com/auth/analytics.readonly", True),
        ("https://www.googleapis.com/auth/tagmanager.edit.containers", True),
        ("ads_management", True),
        ("https://www.googleapis.com/auth/calendar.events", False),
        ("https://www.googleapis.com/auth/userinfo.email", False),
        ("whatsapp_business_messaging", False),
        ("Schedule.ReadWrite.All", False),
        ("payment_links_write", False),
    ],
)
def test_a_permission_for_advertising_is_known_by_its_name(scope: str, refused: bool) -> None:
    assert is_for_tracking(scope) is refused


def test_every_name_on_the_list_is_a_plain_name_that_is_there_once() -> None:
    names = [name for names in tracking._NAMES.values() for name in names.split()]
    assert sorted(names) == sorted(set(names))
    for name in names:
        assert name == name.lower()
        assert name.count(".") >= 1
        above = name.partition(".")[2]
        assert above not in names, f"{name} is listed by {above}"
    assert not tracking._LISTED & tracking._PARTLY.keys()


def test_what_tracks_is_denied_whatever_the_clinic_allows() -> None:
    decision = decided(replace(RULE, tracks=True))
    assert codes(decision) == ["recipient_denied"]


# The law on channels -----------------------------------------------------------------------------------------------------


def test_under_the_law_of_the_us_no_data_about_patients_goes_over_whatsapp_whatever_is_agreed() -> None:
    rule = replace(RULE, channel=Channel.WHATSAPP, service=None)
    consents = (replace(GIVEN, channels=frozenset(Channel)),)
    assert decided(rule, consents=consents)
    assert decided(rule, consents=consents, policy=Policy(jurisdiction="IN"))
    decision = decided(rule, consents=consents, signed=(BAA,), policy=Policy(jurisdiction="US"))
    assert codes(decision) == ["recipient_denied"]
    assert isinstance(decision, Denied)
    assert decision.reasons[0].what == "whatsapp"
    assert "business associate agreement" in decision.reasons[0].fix
    assert "sms" in decision.reasons[0].fix
    assert decided(replace(rule, channel=Channel.SMS), consents=consents, policy=Policy(jurisdiction="US"))


def test_what_says_nothing_about_a_patient_may_go_there() -> None:
    staff = frozenset({Category.STAFF, Category.SCHEDULE})
    rule = replace(RULE, channel=Channel.WHATSAPP, service=None, categories=staff)
    assert decided(rule, consents=(replace(GIVEN, channels=frozenset(Channel)),), policy=Policy(jurisdiction="US"))
