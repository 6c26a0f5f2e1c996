"""What a connector's manifest.toml may say. Keeps the form of one manifest; the registry checks it against the code."""

import re
from typing import Annotated, Self

from pydantic import Field, HttpUrl, StringConstraints, field_validator, model_validator

from connectors.errors import CredentialRefused
from connectors.oauth import APPLICATION, SHARED_DIRECTORIES, OAuthRule
from connectors.parts import Country, Host, Name, Part, Sentence
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.vocabulary import CredentialKind, Purpose, Repeat, Role


class Recipient(Part):
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


class CredentialForm(Part):
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


class SessionRule(Part):
    """How the operator's registration becomes one token for every clinic: where it is asked for.

    The network has several environments, each with its own registration and its own accounts. Which one a connection is
    in, the clinic's setting of the name `setting` says; `bases` has the base address of each.
    """

    setting: Name
    bases: dict[Name, HttpUrl] = Field(min_length=1)

    def base_of(self, environment: str) -> str:
        """The base address of one environment, without a slash at its end. Raises KeyError."""
        return str(self.bases[environment]).rstrip("/")


class CredentialRule(Part):
    """Which credential the vendor takes and how the gateway's door adds it to a request.

    An oauth2 or a session credential is a bearer token that the gateway asks for itself. Of a session the account is one
    of those that the network says are ours (connectors/network.py, Bridge): nobody types it.
    """

    kind: CredentialKind
    apply: Annotated[str, StringConstraints(pattern=r"^(bearer|basic|header:[A-Za-z][A-Za-z0-9-]{0,63})$")]
    accepts: tuple[CredentialForm, ...] = ()
    refuses: tuple[RefusedForm, ...] = ()
    account_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] | None = None
    account_pattern: str | None = None
    account_title: Sentence | None = None
    account_example: str | None = None
    account_needed: bool = False
    oauth: OAuthRule | None = None
    session: SessionRule | None = None

    @model_validator(mode="after")
    def _session_fits(self) -> Self:
        if (self.kind is CredentialKind.SESSION) != (self.session is not None):
            raise ValueError('[credential.session] belongs to kind = "session", and to no other')
        if self.session is None:
            return self
        if self.apply != "bearer" or self.accepts or self.refuses:
            raise ValueError("a session credential is a bearer token, and takes no forms of keys")
        if not (self.account_needed and self.account_pattern):
            raise ValueError("a session is for many clinics: give account_needed = true and an account_pattern")
        return self

    @model_validator(mode="after")
    def _kind_and_rule_fit(self) -> Self:
        if (self.kind is CredentialKind.OAUTH2) != (self.oauth is not None):
            raise ValueError('[credential.oauth] belongs to kind = "oauth2", and to no other')
        if self.oauth is None:
            return self
        if self.apply != "bearer" or self.accepts or self.refuses:
            raise ValueError("an oauth2 credential is a bearer token, and takes no forms of keys")
        if self.oauth.per_directory and not (self.account_needed and self.account_pattern):
            raise ValueError("addresses with {account} need account_needed = true and an account_pattern")
        if self.oauth.per_directory and any(
            re.fullmatch(str(self.account_pattern), name) for name in SHARED_DIRECTORIES
        ):
            raise ValueError(f"account_pattern must fit none of {', '.join(SHARED_DIRECTORIES)}")
        return self

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


class AgreementRule(Part):
    """Whether an agreement (BAA, DPA) must be on file, and which services one may cover; `why` is shown to the clinic.

    `kinds` are those that the recipient signs at all: another one can't be recorded, so nothing counts as covered by it.
    """

    needed: bool
    services: tuple[Name, ...] = ()
    kinds: tuple[AgreementKind, ...] = Field(default=tuple(AgreementKind), min_length=1)
    why: Sentence


class FeatureRule(Part):
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


class ActionEntry(Part):
    """One action: what the vendor's credential must be able to do, for which purposes, and whether it may be repeated.

    `provider_scopes` lists groups; of each group any one scope is enough, and every group is needed. With a `channel` it
    reaches a person, who must have consented. `service` is the one of `agreements.services` that it uses;
    `agreement_needed` says otherwise than `agreements.needed` for this action.

    An `inner` action only the gateway makes, as one step of an exchange with a network: no host can ask for it. With
    `elsewhere` it goes past the recipient's own hosts, to an address that the network named for this one time, and the
    flow that makes it builds the request with the connector's network.py: client.py has no function for it.

    A `requested` one answers what a person asked for a moment ago, such as a code that they wait for: it needs no consent
    of theirs and keeps no quiet hours; that they said STOP counts all the same.
    """

    purposes: tuple[Purpose, ...] = Field(min_length=1)
    provider_scopes: tuple[tuple[str, ...], ...] = ()
    repeat: Repeat
    channel: Channel | None = None
    service: Name | None = None
    agreement_needed: bool | None = None
    inner: bool = False
    requested: bool = False
    elsewhere: bool = False

    certificate: bool = False
    """Whether it hands the vendor a certificate of ours, so that what the vendor then tells is encrypted to it."""

    @model_validator(mode="after")
    def _goes_elsewhere_from_within(self) -> Self:
        if self.requested and not self.inner:
            raise ValueError("only the gateway knows what a person just asked for: a requested action is inner")
        if self.elsewhere and not self.inner:
            raise ValueError("only an inner action may go elsewhere")
        return self

    @field_validator("purposes")
    @classmethod
    def _never_marketing(cls, purposes: tuple[Purpose, ...]) -> tuple[Purpose, ...]:
        if Purpose.HMARKT in purposes:
            raise ValueError("HMARKT (marketing) is refused everywhere; take it out of purposes")
        return purposes


class ProviderScopeEntry(Part):
    """One scope of the vendor's own and the scopes that it includes.

    `told` is false where the vendor never says that it granted it: then what was asked is taken for granted.
    """

    title: Sentence
    includes: tuple[str, ...] = ()
    told: bool = True


class CallbackRule(Part):
    """How fast the vendor wants its message acknowledged, and what its signing secret looks like.

    With `token` the vendor signs nothing and brings back what we gave it: a token that only the gateway can make, so that
    no secret is handed over.
    """

    deadline_seconds: Annotated[float, Field(gt=0, le=60)]
    secret_pattern: str | None = None
    token: bool = False

    @field_validator("secret_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        re.compile(pattern or "")
        return pattern

    def check(self, secret: str) -> None:
        """Raise CredentialRefused unless the signing secret has the vendor's form; a blank one never has."""
        if not secret.strip() or (self.secret_pattern and not re.fullmatch(self.secret_pattern, secret)):
            raise CredentialRefused(f"must have the form {self.secret_pattern or 'of a secret that is not blank'}")


class SettingRule(Part):
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


class WatchRule(Part):
    """Something that the vendor watches for a clinic, and how the gateway keeps that up: by which actions and fields.

    A clinic says what to watch in `start`'s fields, all but those in `lasts`. It is renewed before it ends, and read by
    `sync` now and then, since vendors lose messages; what a reading finds is told as the event `changed`.
    """

    title: Sentence
    start: Name
    renew: Name | None = None
    """Without one another is begun before the first ends, and the first stopped."""
    stop: Name
    sync: Name
    lasts: dict[Name, int] = Field(default_factory=dict)
    """How long it is to last, by fields of `start` and `renew`."""
    id: Name = "id"
    """Which field of `start`'s answer the vendor names the watch by in its messages."""
    ends: Name = "expires_at"
    answered: dict[Name, Name] = Field(default_factory=dict)
    """Fields of `renew` and `stop` that come from `start`'s answer, by what they are called there."""
    items: Name
    """The list in `sync`'s answer."""
    whole: Name | None = None
    """What in `sync`'s answer says that it lists everything; without one it always does."""
    goes_on: dict[Name, Name] = Field(default_factory=dict)
    """Fields of `sync` that come from the answer of the page before, as long as it has them."""
    remembers: dict[Name, Name] = Field(default_factory=dict)
    """Fields of `sync` that come from the last page of the reading before."""
    changed: str
    each: bool = True
    """Whether `changed` is told of each item that changed, by its id; otherwise once, by the watch's."""
    missed: tuple[str, ...] = ()
    """Events that say that changes may have been lost: it is read at once."""
    renewed_on: tuple[str, ...] = ()
    """Events that want it renewed at once."""
    ended: tuple[str, ...] = ()
    """Events that say that it is no more: it is begun anew and read."""
    renew_before_minutes: Annotated[int, Field(gt=0)]
    poll_minutes: Annotated[int, Field(gt=0)]

    @property
    def actions(self) -> tuple[str, ...]:
        """Every action that keeps it up."""
        return tuple(name for name in (self.start, self.renew, self.stop, self.sync) if name is not None)


class Limits(Part):
    """The vendor's published request rate for one account."""

    per_second: Annotated[float, Field(gt=0)]


class Manifest(Part):
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
    watches: dict[Name, WatchRule] = Field(default_factory=dict)
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

    @model_validator(mode="after")
    def _session_is_asked_for_at_a_named_host(self) -> Self:
        session = self.credential.session
        if session is None:
            return self
        rule = self.settings.get(session.setting)
        if rule is None or not rule.needed:
            raise ValueError(f"credential.session.setting names {session.setting!r}: declare it in settings, as needed")
        for name, base in session.bases.items():
            if base.scheme != "https" or base.host not in self.hosts:
                raise ValueError(f"credential.session.bases.{name} must be https on one of hosts")
            if not re.fullmatch(rule.pattern, name):
                raise ValueError(f"settings.{session.setting} does not take {name!r}, which has a base")
        if self.base_url not in {str(base).rstrip("/") for base in session.bases.values()}:
            raise ValueError("api_base must be one of credential.session.bases")
        return self

    @model_validator(mode="after")
    def _scopes_are_of_the_flow(self) -> Self:
        oauth = self.credential.oauth
        of_application = oauth is not None and oauth.flow == "client_credentials"
        for name in self.provider_scopes:
            if name.startswith(APPLICATION) != of_application:
                raise ValueError(
                    f"provider scopes are written {APPLICATION}NAME where, and only where, the flow is client_credentials"
                )
        return self
