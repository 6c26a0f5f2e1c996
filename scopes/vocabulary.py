"""The closed words every room shares: categories, purposes, reasons, outcomes, roles. Lists only grow at the end."""

from enum import StrEnum


class Category(StrEnum):
    """What kind of data a field carries; clinics, patients and auditors read these words."""

    IDENTITY = "identity"
    IDENTIFIER = "identifier"
    CONTACT = "contact"
    LOCATION = "location"
    APPOINTMENT = "appointment"
    CLINICAL = "clinical"
    MEDICATION = "medication"
    RESULT = "result"
    IMAGING = "imaging"
    BILLING = "billing"
    INSURANCE = "insurance"
    STAFF = "staff"
    SCHEDULE = "schedule"
    FREE_TEXT = "free_text"
    OPERATIONAL = "operational"
    """Says nothing about a person."""


class Purpose(StrEnum):
    """Why data leaves: HL7 v3 PurposeOfUse (http://terminology.hl7.org/CodeSystem/v3-ActReason, value set 3.1.0).

    A code stands for itself alone: an action that serves ``TREAT`` names ``ETREAT`` too if it serves both.
    """

    # Treatment
    TREAT = "TREAT"
    CLINTRL = "CLINTRL"
    COC = "COC"
    ETREAT = "ETREAT"
    BTG = "BTG"
    ERTREAT = "ERTREAT"
    POPHLTH = "POPHLTH"
    TREATDS = "TREATDS"
    # Payment
    HPAYMT = "HPAYMT"
    CLMATTCH = "CLMATTCH"
    COVAUTH = "COVAUTH"
    COVERAGE = "COVERAGE"
    ELIGDTRM = "ELIGDTRM"
    ELIGVER = "ELIGVER"
    ENROLLM = "ENROLLM"
    MILDCRG = "MILDCRG"
    REMITADV = "REMITADV"
    PMTDS = "PMTDS"
    # Operations
    HOPERAT = "HOPERAT"
    CAREMGT = "CAREMGT"
    DONAT = "DONAT"
    FRAUD = "FRAUD"
    GOV = "GOV"
    HACCRED = "HACCRED"
    HCOMPL = "HCOMPL"
    HDECD = "HDECD"
    HDIRECT = "HDIRECT"
    HDM = "HDM"
    HLEGAL = "HLEGAL"
    HOUTCOMS = "HOUTCOMS"
    HPRGRP = "HPRGRP"
    HQUALIMP = "HQUALIMP"
    HSYSADMIN = "HSYSADMIN"
    LABELING = "LABELING"
    METAMGT = "METAMGT"
    MEMADMIN = "MEMADMIN"
    MILCDM = "MILCDM"
    PATADMIN = "PATADMIN"
    PATSFTY = "PATSFTY"
    PERFMSR = "PERFMSR"
    RECORDMGT = "RECORDMGT"
    SYSDEV = "SYSDEV"
    HTEST = "HTEST"
    TRAIN = "TRAIN"
    MLTRAINING = "MLTRAINING"
    # The patient's own request
    PATRQT = "PATRQT"
    FAMRQT = "FAMRQT"
    PWATRNY = "PWATRNY"
    SUPNWK = "SUPNWK"
    # Public health
    PUBHLTH = "PUBHLTH"
    DISASTER = "DISASTER"
    THREAT = "THREAT"
    # Research
    HRESCH = "HRESCH"
    BIORCH = "BIORCH"
    CLINTRCH = "CLINTRCH"
    DSRCH = "DSRCH"
    POARCH = "POARCH"
    TRANSRCH = "TRANSRCH"
    # Marketing: known, so that it can be refused by name
    HMARKT = "HMARKT"


class Reason(StrEnum):
    """Why a call was refused."""

    CONNECTION_INACTIVE = "connection_inactive"
    FEATURE_OFF = "feature_off"
    SCOPE_MISSING = "scope_missing"
    SCOPE_EXCESS = "scope_excess"
    PURPOSE_NOT_ALLOWED = "purpose_not_allowed"
    PURPOSE_DENIED = "purpose_denied"
    CONSENT_MISSING = "consent_missing"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_EXPIRED = "consent_expired"
    AGREEMENT_MISSING = "agreement_missing"
    AGREEMENT_EXPIRED = "agreement_expired"
    SERVICE_NOT_COVERED = "service_not_covered"
    REGION_NOT_ALLOWED = "region_not_allowed"
    RECIPIENT_DENIED = "recipient_denied"
    FREE_TEXT_REFUSED = "free_text_refused"
    REQUIRED_WITHHELD = "required_withheld"
    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"
    SUBJECT_RESTRICTED = "subject_restricted"
    SUBJECT_OBJECTED = "subject_objected"
    TEMPLATE_UNREGISTERED = "template_unregistered"
    RATE_LIMITED = "rate_limited"
    RANGE_NOT_COVERED = "range_not_covered"
    RECORD_NOT_NAMED = "record_not_named"
    RECORD_KIND_NOT_COVERED = "record_kind_not_covered"
    RECORD_DATE_NOT_COVERED = "record_date_not_covered"
    RECIPIENT_UNNAMED = "recipient_unnamed"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    KEY_UNUSABLE = "key_unusable"


class Outcome(StrEnum):
    """What came of a disclosure."""

    ACCEPTED = "accepted"
    """The recipient took it."""
    REJECTED = "rejected"
    """The recipient said no; nothing happened there."""
    FAILED = "failed"
    """It did not arrive, or its answer was refused."""
    UNKNOWN = "unknown"
    """It may have arrived: a timeout or a crash."""


class Role(StrEnum):
    """What the recipient is in law."""

    PROCESSOR = "processor"
    BUSINESS_ASSOCIATE = "business_associate"
    INDEPENDENT_CONTROLLER = "independent_controller"
    BANK = "bank"
    STATUTORY_NETWORK = "statutory_network"


class ConnectionState(StrEnum):
    """Where a tenant's use of a connector stands; only ``active`` lets a call through."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class CredentialKind(StrEnum):
    """How the vendor knows the clinic."""

    API_KEY = "api_key"
    OAUTH2 = "oauth2"
    SESSION = "session"
    """The vendor knows the gateway alone: the operator's registration gives one token for every clinic behind it."""


class Repeat(StrEnum):
    """When an attempt of an action may be made again."""

    ALWAYS = "always"
    """The action only reads, or the vendor keeps the idempotency key."""
    IF_UNSENT = "if_unsent"
    """Only when no byte of it left."""
    NEVER = "never"
    """Whoever asked for it has a schedule of its own."""


class Otherwise(StrEnum):
    """What becomes of a message that a clinic's own limits keep from going now."""

    WAIT = "wait"
    """It goes when it may, decided anew."""
    REFUSE = "refuse"
