"""Meta's error numbers that we react to, and our word for each. Closed lists: another number is not repeated to anyone.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes (read as of v23.0)
"""

from typing import Final

#: The token is not, or no longer, accepted.
CREDENTIAL: Final = {0: "token_refused", 102: "token_refused", 190: "token_refused"}

#: The token is genuine and may not do this; so are all numbers from 200 to 299.
PERMISSION: Final = {3: "permission_missing", 10: "permission_missing", 131005: "permission_missing"}
PERMISSIONS: Final = range(200, 300)

#: Nothing was done, and the same may be asked again later.
PATIENCE: Final = {
    4: "app_rate_limited",
    80007: "account_rate_limited",
    130429: "rate_limited",
    131048: "spam_rate_limited",
    131056: "pair_rate_limited",
    131057: "account_in_maintenance",
}

#: Meta does not know itself.
UNCLEAR: Final = {1: "unknown_error", 2: "service_down", 131000: "unknown_error", 131016: "service_down"}

#: Nothing was done, and nothing will be.
REFUSED: Final = {
    33: "phone_number_id_unknown",
    100: "parameter_invalid",
    368: "account_restricted",
    130472: "recipient_in_experiment",
    130497: "country_restricted",
    131008: "parameter_missing",
    131009: "parameter_invalid",
    131021: "recipient_is_sender",
    131026: "undeliverable",
    131030: "recipient_not_allowed",
    131031: "account_locked",
    131037: "display_name_unapproved",
    131042: "payment_method_missing",
    131045: "phone_number_unregistered",
    131047: "re_engagement_needed",
    131049: "marketing_cap",
    131050: "recipient_opted_out",
    131051: "message_type_unsupported",
    132000: "template_parameter_count",
    132001: "template_unknown",
    132005: "template_too_long",
    132007: "template_policy",
    132012: "template_parameter_format",
    132015: "template_paused",
    132016: "template_disabled",
    133010: "phone_number_unregistered",
    135000: "parameter_invalid",
}

WORDS: Final = {**CREDENTIAL, **PERMISSION, **PATIENCE, **UNCLEAR, **REFUSED}
