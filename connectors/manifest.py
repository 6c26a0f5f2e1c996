"""What a connector's manifest.toml may say. Keeps the form of one manifest; the registry checks it against the code."""

import re
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, field_validator, model_validator

from connectors.errors import CredentialRefused
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.vocabulary import CredentialKind, Purpose, Repeat, Role

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Host = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=600)]


class _Part(BaseModel):
    """Every part of a manifest refuses a key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipient(_Part):
    """Who receives the data: what the settings page, the ledger and the register of subprocessors say."""

    legal_name: Sentence
    role: Role
    country: Country
    address: Sentence | None = None
    regions: tuple[Country, ...] = Field(min_length=1)
    transfer: Sentence
    privacy_url: HttpUrl
    subprocessors_url: HttpUrl | None = None

    def recorded(self) -> dict[str, str]:
        """Who it is, as every entry of the ledger says it."""
        return {"name": self.legal_name, "role": str(self.role), "country": self.country}


class CredentialForm(_Part):
    """A form of credential: a pattern for the whole secret, and what a person calls it."""

    pattern: str
    title: Sentence

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        re.compile(pattern)
        return pattern


class RefusedForm(CredentialForm):
    """A form that is genuine and still not taken; `reason` says what to use instead."""

    reason: Sentence


class CredentialRule(_Part):
    """Which credential the vendor takes and how the gateway's door adds it to a request."""

    kind: CredentialKind
    apply: Annotated[str, StringConstraints(pattern=r"^(bearer|basic|header:[A-Za-z][A-Za-z0-9-]{0,63})$")]
    accepts: tuple[CredentialForm, ...] = ()
    refuses: tuple[RefusedForm, ...] = ()
    account_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] | None = None
    account_pattern: str | None = None
    account_title: Sentence | None = None
    account_example: str | None = None
    account_needed: bool = False

    @model_validator(mode="after")
    def _account_example_fits(self) -> Self:
        if self.account_example is None:
            if self.account_needed:
                raise ValueError("an account is needed; give account_example")
        elif not re.fullmatch(self.account_pattern or ".+", self.account_example):
            raise ValueError("account_example does not fit account_pattern")
        return self

    @property
    def has_accounts(self) -> bool:
        """Whether the vendor tells accounts apart: by a header that the door adds, or by the connector's own addresses."""
        return self.account_header is not None or self.account_pattern is not None

    def check(self, secret: str) -> None:
        """Raise CredentialRefused unless the secret has an accepted form; a refused form wins over an accepted one."""
        for form in self.refuses:
            if re.fullmatch(form.pattern, secret):
                raise CredentialRefused(form.reason)
        if not any(re.fullmatch(form.pattern, secret) for form in self.accepts):
            known = ", ".join(form.title for form in self.accepts) or "none"
            raise CredentialRefused(f"This credential has none of the accepted forms: {known}.")


class AgreementRule(_Part):
    """Whether an agreement (BAA, DPA) must be on file, and which services one may cover; `why` is shown to the clinic.

    `kinds` are those that the recipient signs at all: another one can't be recorded, so nothing counts as covered by it.
    """

    needed: bool
    services: tuple[Name, ...] = ()
    kinds: tuple[AgreementKind, ...] = Field(default=tuple(AgreementKind), min_length=1)
    why: Sentence


class FeatureRule(_Part):
    """What a clinic switches on: actions of ours, and events of the vendor's that are dropped without it."""

    title: Sentence
    why: Sentence
    actions: tuple[Name, ...] = ()
    events: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_for_something(self) -> Self:
        if not self.actions and not self.events:
            raise ValueError("name an action or an event that it switches on")
        return self


class ActionEntry(_Part):
    """One action: what the vendor's credential must be able to do, for which purposes, and whether it may be repeated.

    `provider_scopes` lists groups; of each group any one scope is enough, and every group is needed. With a `channel` it
    reaches a person, who must have consented. `service` is the one of `agreements.services` that it uses;
    `agreement_needed` says otherwise than `agreements.needed` for this action.
    """

    purposes: tuple[Purpose, ...] = Field(min_length=1)
    provider_scopes: tuple[tuple[str, ...], ...] = ()
    repeat: Repeat
    channel: Channel | None = None
    service: Name | None = None
    agreement_needed: bool | None = None

    @field_validator("purposes")
    @classmethod
    def _never_marketing(cls, purposes: tuple[Purpose, ...]) -> tuple[Purpose, ...]:
        if Purpose.HMARKT in purposes:
            raise ValueError("HMARKT (marketing) is refused everywhere; take it out of purposes")
        return purposes


class ProviderScopeEntry(_Part):
    """One scope of the vendor's own and the scopes that it includes."""

    title: Sentence
    includes: tuple[str, ...] = ()


class CallbackRule(_Part):
    """How fast the vendor wants its message acknowledged, and what its signing secret looks like."""

    deadline_seconds: Annotated[float, Field(gt=0, le=60)]
    secret_pattern: str | None = None

    @field_validator("secret_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        re.compile(pattern or "")
        return pattern

    def check(self, secret: str) -> None:
        """Raise CredentialRefused unless the signing secret has the vendor's form; a blank one never has."""
        if not secret.strip() or (self.secret_pattern and not re.fullmatch(self.secret_pattern, secret)):
            raise CredentialRefused(f"must have the form {self.secret_pattern or 'of a secret that is not blank'}")


class SettingRule(_Part):
    """Something that a clinic sets for its connection, which is no secret: what it is called, its form, whether it must be."""

    title: Sentence
    pattern: str
    example: str
    needed: bool = True

    @model_validator(mode="after")
    def _example_fits(self) -> Self:
        if not re.fullmatch(self.pattern, self.example):
            raise ValueError("the example does not fit the pattern")
        return self


class Limits(_Part):
    """The vendor's published request rate for one account."""

    per_second: Annotated[float, Field(gt=0)]


class Manifest(_Part):
    """One recipient, as its folder declares it."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?$")]
    title: Sentence
    recipient: Recipient
    hosts: tuple[Host, ...] = Field(min_length=1)
    api_base: HttpUrl
    credential: CredentialRule
    agreements: AgreementRule
    features: dict[Name, FeatureRule] = Field(min_length=1)
    actions: dict[Name, ActionEntry] = Field(min_length=1)
    provider_scopes: dict[str, ProviderScopeEntry] = Field(default_factory=dict)
    callback: CallbackRule | None = None
    settings: dict[Name, SettingRule] = Field(default_factory=dict)
    limits: Limits

    @property
    def family(self) -> str:
        """The first part of the id: `payments` of `payments/stripe`."""
        return self.id.partition("/")[0]

    @property
    def base_url(self) -> str:
        """`api_base` without a slash at its end, so that a path can follow."""
        return str(self.api_base).rstrip("/")

    def feature_of(self, event: str) -> str | None:
        """The feature without which an event of the vendor's is dropped; None where it needs none."""
        return next((name for name, feature in self.features.items() if event in feature.events), None)

    def needs_agreement(self, action: ActionEntry) -> bool:
        """Whether an agreement must be on file before one of its actions sends anything."""
        return self.agreements.needed if action.agreement_needed is None else action.agreement_needed

    @model_validator(mode="after")
    def _base_is_https_on_a_named_host(self) -> Self:
        if self.api_base.scheme != "https":
            raise ValueError("api_base must be https")
        if self.api_base.host not in self.hosts:
            raise ValueError(f"the host of api_base is not in hosts; add {self.api_base.host!r} to hosts")
        return self
