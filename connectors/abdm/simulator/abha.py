"""The ABHA service's state and the parts that its calls share: citizens, transactions, OTPs, tokens of people."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connectors.abdm.simulator import keys
from connectors.abdm.simulator.people import Patient, new_id
from connectors.abdm.simulator.refusals import Refused, Shape

if TYPE_CHECKING:
    from connectors.abdm.simulator.desk import Ask
    from connectors.abdm.simulator.network import Network

USER_SECONDS: Final = 1800
REFRESH_SECONDS: Final = 1_296_000
TRANSFER_SECONDS: Final = 300
_OTP_SECONDS: Final = 600
_RESEND_SECONDS: Final = 60
_MOST_OTPS: Final = 4
_LOCK_SECONDS: Final = 1800
_VERHOEFF_D: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Citizen:
    """Somebody whom the Aadhaar authority knows, and who may have no ABHA number yet."""

    aadhaar: str
    name: str
    gender: str
    year_of_birth: int
    mobile: str


@dataclass(slots=True)
class Transaction:
    """One run of an OTP: whose it is, what was sent, what it is good for."""

    id: str
    subject: str
    """An Aadhaar number, a mobile, an ABHA number or an ABHA address."""
    hint: str
    scope: tuple[str, ...]
    otp: str
    sent_at: float
    verified: bool = False
    patient: Patient | None = None


@dataclass(slots=True)
class Phone:
    """How many OTPs a subject has asked for lately."""

    sent: list[float] = field(default_factory=list)
    locked_until: float = 0.0


@dataclass(slots=True)
class Abha:
    """What the ABHA service keeps."""

    citizens: dict[str, Citizen] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    """Token -> its type (Transaction, Transfer), the address or mobile, its end."""
    phones: dict[str, Phone] = field(default_factory=dict)


def opened(ask: "Ask", value: str, *, bits: int, name: str) -> str:
    """What stands in an encrypted field. A wrong padding or key is blamed on the value (2.2)."""
    try:
        return keys.opened(bits, value)
    except ValueError:
        ask.fault("2.2", f"{name} is not RSA-OAEP with SHA-1 under the {bits}-bit key of this call")
        raise blamed(name, f"Invalid {name[0].upper()}{name[1:]}") from None


def blamed(name: str, message: str) -> Refused:
    """The third shape: the field is the key."""
    return Refused(400, "", message, Shape.FIELD, name)


def not_found(message: str = "User not found") -> Refused:
    """Nobody has this: a result and no error, told as one."""
    return Refused(404, "ABDM-1114", message)


def aadhaar_holds(number: str) -> bool:
    """Whether twelve digits can be an Aadhaar number: Verhoeff's check, and no 0 or 1 in front."""
    check = 0
    for index, digit in enumerate(reversed(number)):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[index % 8][int(digit)])])
    return check == 0 and len(number) == 12 and number[0] not in "01"


def send_otp(network: "Network", opening: Transaction, mobile: str) -> None:
    """Text an OTP; not before a minute has gone by since the last one, and not too often (1.7)."""
    phone, now = network.abha.phones.setdefault(opening.subject, Phone()), network.clock.now()
    if phone.locked_until > now:
        raise Refused(422, "ABDM-1100", "You have requested too many OTPs. Try again after 30 minutes.")
    if phone.sent and now - phone.sent[-1] < _RESEND_SECONDS:
        raise Refused(422, "ABDM-1100", "Wait 60 seconds before you request another OTP.")
    phone.sent = [at for at in phone.sent if now - at < _LOCK_SECONDS] + [now]
    if len(phone.sent) > _MOST_OTPS:
        phone.locked_until, phone.sent = now + _LOCK_SECONDS, []
        raise Refused(422, "ABDM-1100", "You have requested too many OTPs. Try again after 30 minutes.")
    network.abha.transactions[opening.id] = opening
    network.text(
        mobile, "ABDM", f"{opening.otp} is the OTP for your ABHA. It is valid for 10 minutes. Share it with nobody."
    )


def opening(network: "Network", subject: str, hint: str, scope: list[str]) -> Transaction:
    """A new run of an OTP."""
    return Transaction(new_id(), subject, hint, tuple(scope), network.otp(), network.clock.now())


def verified(ask: "Ask", *, bits: int = keys.PROFILE_BITS) -> tuple[Transaction, bool]:
    """The transaction that an OTP was typed for, and whether it was the right one."""
    otp = ask.body["authData"]["otp"]
    transaction = ask.network.abha.transactions.get(otp["txnId"])
    if transaction is None:
        raise Refused(400, "ABDM-1006", "Invalid txnId")
    typed = opened(ask, otp["otpValue"], bits=bits, name="otpValue")
    right = typed == transaction.otp and ask.network.clock.now() - transaction.sent_at <= _OTP_SECONDS
    if right and transaction.verified:
        raise Refused(400, "ABDM-2406", "This OTP was used already")
    transaction.verified = right
    return transaction, right


def user_tokens(network: "Network", patient: Patient) -> dict[str, Any]:
    """What lets software read a patient's account: 30 minutes, and a refresh token that says that this is final."""
    return {
        "token": token(network, "Transaction", patient.abha_number, USER_SECONDS), "expiresIn": USER_SECONDS,
        "refreshToken": token(network, "Refresh", patient.abha_number, REFRESH_SECONDS),
        "refreshExpiresIn": REFRESH_SECONDS,
    }  # fmt: skip


def token(network: "Network", kind: str, subject: str, seconds: int) -> str:
    """A token of a person's."""
    made = int(network.clock.outside())
    text = network.keys.token(
        {"typ": kind, "sub": subject, "iat": made, "exp": made + seconds, "jti": new_id()}
    )  # fmt: skip
    network.abha.tokens[text] = (kind, subject, network.clock.now() + seconds)
    return text


def bearer_of(ask: "Ask", header: str, kind: str) -> str:
    """Whose token stands in a header, by the prefix that the service wants today (2.5)."""
    value = ask.header(header)
    bare = ask.network.quirks.bare_x_token and header == "X-token"
    if value.startswith("Bearer ") == bare:
        raise Refused(401, "ABDM-1094", f"Invalid {header}")
    found = ask.network.abha.tokens.get(value.removeprefix("Bearer "))
    if found is None or found[0] != kind or found[2] <= ask.network.clock.now():
        if found is not None and found[0] != kind:
            ask.fault("2.4", f"{header} holds a token of the type {found[0]}, and needs {kind}")
        raise Refused(401, "ABDM-1094", f"Invalid {header}")
    return found[1]
