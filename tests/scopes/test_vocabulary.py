"""The closed lists are the ones that the design fixes, in its order; they only grow at the end."""

from enum import StrEnum

import pytest

from scopes.vocabulary import Category, ConnectionState, CredentialKind, Outcome, Purpose, Reason, Repeat, Role

_FIXED: list[tuple[type[StrEnum], str]] = [
    (
        Category,
        "identity identifier contact location appointment clinical medication result imaging billing insurance staff "
        "schedule free_text operational",
    ),
    (
        Reason,
        "connection_inactive feature_off scope_missing scope_excess purpose_not_allowed purpose_denied consent_missing "
        "consent_withdrawn consent_expired agreement_missing agreement_expired service_not_covered region_not_allowed "
        "recipient_denied free_text_refused required_withheld quiet_hours frequency_cap subject_restricted "
        "subject_objected template_unregistered rate_limited range_not_covered record_not_named record_kind_not_covered "
        "record_date_not_covered recipient_unnamed address_not_allowed key_unusable",
    ),
    (Outcome, "accepted rejected failed unknown"),
    (Role, "processor business_associate independent_controller bank statutory_network"),
    (ConnectionState, "pending active suspended revoked"),
    (CredentialKind, "api_key oauth2 session"),
    (Repeat, "always if_unsent"),
]


@pytest.mark.parametrize(("words", "fixed"), _FIXED)
def test_a_closed_list_starts_with_the_words_that_are_fixed(words: type[StrEnum], fixed: str) -> None:
    expected = fixed.split()
    assert [word.value for word in words][: len(expected)] == expected


def test_the_purposes_hold_the_tops_of_hl7s_list_and_the_codes_of_abdm() -> None:
    tops = {"HMARKT", "HOPERAT", "HPAYMT", "HRESCH", "PATRQT", "PUBHLTH", "TREAT"}
    abdm = {"CAREMGT", "BTG", "PUBHLTH", "HPAYMT", "DSRCH", "PATRQT"}
    assert tops | abdm <= set(Purpose)
    assert all(purpose.name == purpose.value for purpose in Purpose)
