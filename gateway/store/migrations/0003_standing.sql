-- What a decision weighs beside a clinic's grants: consents of subjects, agreements with recipients, the clinic's policy.

CREATE TABLE consents (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    subject     uuid NOT NULL,              -- the pseudonym
    purposes    text[] NOT NULL,
    channels    text[] NOT NULL,
    given_at    timestamptz NOT NULL,
    expires_at  timestamptz,
    withdrawn_at timestamptz,
    evidence    bytea,                      -- sealed: how, when, which wording; null once it is erased
    salt        bytea,                      -- of the commitment in the ledger
    PRIMARY KEY (tenant, id)
);
-- Not beginning with the tenant, for the reason that deliveries have. Subjects are unique across tenants.
CREATE INDEX consents_subject ON consents (subject, id);

CREATE TABLE agreements (                   -- the present one with each recipient; those before it are in the ledger
    tenant      uuid NOT NULL,
    recipient   text NOT NULL,              -- a connector's or an endpoint's id
    id          uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('baa', 'dpa')),
    services    text[] NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, recipient)
);

CREATE TABLE policies (
    tenant      uuid PRIMARY KEY,
    jurisdiction text,                      -- whose law the clinic is under
    allowed_regions text[],                 -- null: no rule about regions
    version     integer NOT NULL,
    changed_at  timestamptz NOT NULL
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['consents', 'agreements', 'policies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
END $$;

-- A consent is given once; all that changes is that it is withdrawn, or its evidence erased.
GRANT SELECT, INSERT, UPDATE (withdrawn_at, evidence, salt) ON consents TO gateway_request;
GRANT SELECT, INSERT, UPDATE ON agreements, policies TO gateway_request;

-- The register of recipients as it stood: a disclosure points at the version that it was made under.
CREATE TABLE registers (
    tenant      uuid NOT NULL,
    version     integer NOT NULL,
    at          timestamptz NOT NULL,
    hash        bytea NOT NULL,             -- SHA-256 of the body
    body        bytea NOT NULL,             -- what is hashed is what is stored
    PRIMARY KEY (tenant, version)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registers
    FOR EACH STATEMENT EXECUTE FUNCTION gateway_insert_only();
ALTER TABLE registers ENABLE ROW LEVEL SECURITY;
ALTER TABLE registers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenants ON registers USING (tenant = ANY ((SELECT gateway_tenants())::uuid[]))
    WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]));
GRANT SELECT, INSERT ON registers TO gateway_request;
