"""What the real network does and no page of its documentation says, each to switch on by name. Keeps only the switches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final


def _quirk(section: str, what: str, *, alone: bool = False) -> bool:
    """A switch; `alone` for one that contradicts another, so that `everything` leaves it off."""
    switch: bool = field(default=False, metadata={"section": section, "what": what, "alone": alone})
    return switch


@dataclass(slots=True, kw_only=True)
class Quirks:
    """One switch for each; all are off in a new network."""

    strict_clock: bool = _quirk(
        "1.3", "Only UTC with milliseconds and Z is taken; IST and drift are refused, IST as 404."
    )
    request_id_once: bool = _quirk("1.6", "A REQUEST-ID that comes twice is refused with ABDM-1064.")
    session_expiry: bool = _quirk("1.2", "A session ends after 1200 seconds with 900901.")
    login_lock: bool = _quirk("1.2", "Eight bad logins lock the client for eight minutes, with the same text.")
    outage: bool = _quirk("6", "Every ninth call of the gateway is answered 303001: the backend is suspended.")
    error_shapes: bool = _quirk("1.6", "Errors come in all their shapes, and codes may end in a colon and a space.")
    empty_400: bool = _quirk(
        "3.1", "An array as hiType, an unknown one and a dashed abhaNumber get a 400 without a body."
    )
    silent_wrong_hip: bool = _quirk("1.3", "A wrong X-HIP-ID is accepted with 202, and nothing ever comes.")
    suffixed_service_ids: bool = _quirk("1.3", "A facility's service id is its HFR id and a number: IN2910000123_1.")
    certs_behind_token: bool = _quirk("1.5", "The keys are shown to nobody without a session's token.")
    bridge_thief: bool = _quirk(
        "1.4", "Another system with the same client id takes the bridge URL, now or half an hour on."
    )
    late_repeat: bool = _quirk(
        "1.5", "A refused delivery comes again after 963 seconds, with the same bearer, then dead."
    )
    slow_callbacks: bool = _quirk("1.5", "Callbacks come after one to nine seconds.")
    duplicate_window: bool = _quirk("1.6", "A second link token within 372 seconds is refused with ABDM-1092.")
    block: bool = _quirk("1.6", "Five duplicates, or twenty refused links, block the address at that HIP for a day.")
    notify_race: bool = _quirk("3.2", "A notification within 30 seconds of the link is ERRORED with ABDM-1006.")
    prose_success: bool = _quirk("3.2", "A link's success is prose.")
    sms_resp: bool = _quirk("3.2", "The answer to an SMS says resp instead of response.")
    eager_app: bool = _quirk("3.2", "The patient's app pulls the records with PATRQT seven seconds after a link.")
    integer_otp: bool = _quirk("3.3", "The OTP of a confirmation is an integer, without its leading zeros.")
    consent_without_hiu: bool = _quirk("4.1", "A granted consent does not say which HIU it is for.")
    bare_revocation: bool = _quirk("4.1", "A revoked or expired consent comes without its detail.")
    narrowed_dates: bool = _quirk("6", "The patient narrows the dates of each consent to its younger half.")
    empty_request_ids: bool = _quirk("1.5", "requestId and timestamp in the body of a request for records are empty.")
    mixed_peer_keys: bool = _quirk(
        "4.4", "HIUs' keys come as 65 raw bytes, as X.509, and as X.509 with a named curve, in turn."
    )
    push_needs_token: bool = _quirk("4.6", "The HIU answers 401 to a push without a bearer of the gateway.")
    bare_x_token: bool = _quirk("2.5", "X-token is taken bare only; without the switch, only after Bearer.")
    one_based_pages: bool = _quirk("4.6", "The HIU counts pages from 1, and refuses page 0 of several.", alone=True)
    zero_based_pages: bool = _quirk(
        "4.6", "The HIU counts pages from 0, and refuses the page that is one too many.", alone=True
    )

    @classmethod
    def everything(cls) -> "Quirks":
        """All at once, save the ones that contradict each other."""
        return cls(**{each.name: not each.metadata["alone"] for each in fields(cls)})

    def switch(self, wanted: Mapping[str, bool]) -> None:
        """Switch some by name; raises ValueError for an unknown one."""
        unknown = sorted(set(wanted) - set(NAMES))
        if unknown:
            raise ValueError(f"no such quirk: {', '.join(unknown)}; there are {', '.join(NAMES)}")
        for name, on in wanted.items():
            setattr(self, name, bool(on))

    def shown(self) -> dict[str, bool]:
        """All, by name."""
        return {name: getattr(self, name) for name in NAMES}


NAMES: Final = tuple(each.name for each in fields(Quirks))
#: Name -> section of the specification, and what it does.
ABOUT: Final = {each.name: (str(each.metadata["section"]), str(each.metadata["what"])) for each in fields(Quirks)}


def of(names: Iterable[str]) -> Quirks:
    """The named ones on, the others off."""
    quirks = Quirks()
    quirks.switch(dict.fromkeys(names, True))
    return quirks
