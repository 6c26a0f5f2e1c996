"""What a manifest says about connecting by OAuth: where a person is sent, how tokens are asked for, what comes back.

Pure declarations; asking is gateway/oauth's. Each address may hold `{account}`: the clinic's own directory at the vendor,
so that a token of another one can't be taken for its own. The gateway goes to these addresses and a connector does not:
their hosts need not be among the manifest's `hosts`.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from connectors.parts import Part, Sentence

ACCOUNT: Final = "{account}"
APPLICATION: Final = "application:"
# An authority for everybody lets another clinic's administrator connect in this one's name (RFC 9700 2.1, mix-up).
SHARED_DIRECTORIES: Final = ("common", "organizations", "consumers")
# Written by the gateway for each request; a manifest that sets one would break what it protects.
_OURS: Final = frozenset(
    [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "login_hint",
    ]
)
_ADDRESS: Final = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._~{}-]+)*/?(\?[A-Za-z0-9._~=&-]*)?")
_WORD: Final = re.compile(r"[!#-\[\]-~]+")  # RFC 6749 3.3: scope-token


def _is_address(text: str) -> str:
    """An https address whose host is fixed; `{account}` may stand in its path."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("must read https://host/path; {account} may stand in the path")
    if set(re.findall(r"\{[^}]*\}?|\}", text)) - {ACCOUNT}:
        raise ValueError("only {account} may be filled in")
    if {part.lower() for part in text.split("/")} & set(SHARED_DIRECTORIES):
        raise ValueError("must name the clinic's own directory as {account}, never one that everybody shares")
    return text


def _are_words(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(_WORD.fullmatch, scopes)):
        raise ValueError("a scope is one word of ASCII without quotes or backslashes")
    return scopes


Address = Annotated[str, StringConstraints(max_length=300), AfterValidator(_is_address)]
Words = Annotated[tuple[str, ...], AfterValidator(_are_words)]


class OAuthRule(Part):
    """How a clinic connects by OAuth 2 (RFC 6749 with RFC 9700), and what the vendor does with tokens."""

    flow: Literal["authorization_code", "client_credentials"]
    """A person allows what a person may do; or an administrator allows what the application itself may do."""
    issuer: Address
    authorize_url: Address | None = None
    token_url: Address
    revoke_url: Address | None = None
    """RFC 7009; without one, revoking is what `not_undone` tells the clinic to do."""
    jwks_url: Address | None = None
    admin_consent_url: Address | None = None
    """Where an administrator allows it for everybody: the only way with client_credentials, a second one otherwise."""
    library: Literal["google-auth", "msal"] | None = None
    """The vendor's SDK, where it knows how tokens are asked for; imported at the first use, in a thread."""
    client_auth: Literal["post", "basic"] = "post"
    answers_issuer: bool = False
    """RFC 9207: the vendor names itself (`iss`) when it sends the person back. Then an answer without it is refused."""
    authorize_parameters: dict[str, str] = Field(default_factory=dict)
    scope_separator: Literal[" ", ","] = " "
    scope_prefix: Annotated[str, StringConstraints(pattern=r"^(https://[a-z0-9./-]+/)?$")] = ""
    """Stands before every provider scope on the wire; the manifest and people have the short names."""
    identity_scopes: Words = ()
    """Asked besides the provider scopes, and reach no data: openid, offline_access."""
    tolerated_scopes: Words = ()
    """May come back unasked, and reach no data: email, profile."""
    application_scope: str | None = None
    """The one scope of client_credentials: everything that an administrator allowed the application (`.default`)."""
    granted: Literal["answer", "roles"] = "answer"
    """Where the vendor tells what it granted: in `scope` of its answer, or in the access token's `roles`."""
    refresh: Literal["keeps", "rotates", "none"]
    """Whether a refresh token stays the same, is another one each time, or there is none."""
    narrows_at_refresh: bool = False
    """Whether asking for fewer scopes at a refresh gives a token of fewer: then a surplus is taken off, not refused."""
    ends_whole_grant: bool = False
    """Whether revoking one token ends everything that the person allowed this client."""
    not_undone: Sentence
    """What revoking does not undo, told to the clinic in full: tokens that live on, permissions to take back there."""
    admin_note: Sentence | None = None
    """Who has to allow this at the vendor, where not everybody may."""

    @field_validator("authorize_parameters")
    @classmethod
    def _leave_ours_alone(cls, given: dict[str, str]) -> dict[str, str]:
        if taken := _OURS & given.keys():
            raise ValueError(f"the gateway writes {', '.join(sorted(taken))} itself")
        if given.get("include_granted_scopes") == "true":
            raise ValueError("include_granted_scopes brings back what was granted to other features; leave it false")
        return given

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        wrong = list(self._faults())
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _faults(self) -> Iterable[str]:
        yield from self._faults_by_person() if self.flow == "authorization_code" else self._faults_by_application()
        if "openid" in self.identity_scopes and self.jwks_url is None:
            yield "openid brings an ID token, which needs jwks_url to be checked"
        if self.library == "msal" and not urlsplit(self.issuer).path.strip("/"):
            yield "msal wants a directory in the path of the issuer"
        if len({ACCOUNT in url for url in (self.issuer, self.token_url, self.authorize_url) if url is not None}) > 1:
            yield "either each of issuer, authorize_url and token_url names {account}, or none"
        for url in filter(None, (self.authorize_url, self.admin_consent_url)):
            if set(dict(parse_qsl(urlsplit(url).query))) & (_OURS | self.authorize_parameters.keys()):
                yield "an address holds a parameter that is written for each request"

    def _faults_by_person(self) -> Iterable[str]:
        if self.authorize_url is None:
            yield "authorization_code needs authorize_url"
        if self.application_scope is not None or self.granted == "roles":
            yield "application_scope and granted = 'roles' are for client_credentials"

    def _faults_by_application(self) -> Iterable[str]:
        if self.authorize_url is not None or self.identity_scopes:
            yield "client_credentials has no authorize_url and no identity_scopes"
        if self.application_scope is None:
            yield "client_credentials needs application_scope"
        if self.admin_consent_url is None:
            yield "client_credentials needs admin_consent_url, where an administrator allows it"
        if self.refresh != "none":
            yield "client_credentials asks anew each time: refresh = 'none'"
        if self.library == "google-auth":
            yield "google-auth refreshes what a person allowed; take the library out"

    @property
    def per_directory(self) -> bool:
        """Whether the clinic's own directory at the vendor stands in the addresses."""
        return ACCOUNT in self.token_url

    @property
    def wants_id_token(self) -> bool:
        """Whether the vendor's answer must hold a proof of whose it is."""
        return "openid" in self.identity_scopes

    def at(self, url: str, account: str | None) -> str:
        """An address of these for one clinic. Raises ValueError where its directory is none."""
        if ACCOUNT not in url:
            return url
        if account is None or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", account):
            raise ValueError("the clinic's directory at the vendor is needed")
        if account.lower() in SHARED_DIRECTORIES:
            raise ValueError("a directory that everybody shares is no clinic's own")
        return url.replace(ACCOUNT, account)

    def hosts(self) -> frozenset[str]:
        """Where the gateway itself goes for tokens; a person's browser goes to the others."""
        asked = filter(None, (self.token_url, self.revoke_url, self.jwks_url))
        return frozenset(str(urlsplit(url).hostname) for url in asked)

    def on_wire(self, scopes: Iterable[str]) -> str:
        """Provider scopes as the vendor wants to be asked for them, with what is asked besides; sorted, so always alike."""
        words = [self.scope_prefix + scope.removeprefix(APPLICATION) for scope in sorted(scopes)]
        return self.scope_separator.join([*words, *self.identity_scopes])

    def from_wire(self, text: str) -> frozenset[str]:
        """The provider scopes in a vendor's answer, under the manifest's names; what reaches no data is left out."""
        words = {word for word in re.split(rf"[\s{re.escape(self.scope_separator)}]+", text) if word}
        known = words - {*self.identity_scopes, *self.tolerated_scopes}
        return frozenset(word.removeprefix(self.scope_prefix) for word in known)
