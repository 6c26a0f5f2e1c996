-- What a clinic lets a network of health records find: its patients, their visits, and the documents of each as they were
-- when they were handed over. Everything that says something of a person is sealed; identifiers are found by keyed hashes.

CREATE TABLE patients (
    tenant        uuid NOT NULL,
    subject       uuid NOT NULL,            -- the pseudonym
    sealed        bytea NOT NULL,
    registered_at timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant, subject)
);

CREATE TABLE patient_keys (
    tenant      uuid NOT NULL,
    proof       text NOT NULL,              -- what the identifier is: address, number, mobile, record_number, email
    lookup      bytea NOT NULL,             -- its keyed hash
    subject     uuid NOT NULL,
    PRIMARY KEY (tenant, proof, lookup, subject)
);
CREATE INDEX patient_keys_subject ON patient_keys (subject);

CREATE TABLE care_contexts (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,              -- what the network knows the visit by
    subject     uuid NOT NULL,
    connector   text NOT NULL,
    lookup      bytea NOT NULL,             -- keyed hash of the host's own reference of it
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX care_contexts_lookup ON care_contexts (lookup, tenant);
CREATE INDEX care_contexts_subject ON care_contexts (subject);

CREATE TABLE records (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    context     uuid NOT NULL,
    kind        text NOT NULL,
    length      bigint NOT NULL,            -- of the document, in bytes
    md5         text NOT NULL,              -- what the network is told beside it
    sha256      bytea NOT NULL,
    since       timestamptz NOT NULL,       -- of which time it is
    until       timestamptz NOT NULL,
    categories  text[] NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX records_context ON records (context);

-- In parts, so that a long one is never in memory as a whole when it is sent.
CREATE TABLE record_parts (
    tenant      uuid NOT NULL,
    record      uuid NOT NULL,
    number      integer NOT NULL,
    sealed      bytea NOT NULL,
    PRIMARY KEY (tenant, record, number)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['patients', 'patient_keys', 'care_contexts', 'records', 'record_parts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, DELETE ON patients, patient_keys, care_contexts, records, record_parts TO gateway_request;
GRANT UPDATE (sealed, changed_at) ON patients TO gateway_request;
-- A document stays as it is: what was linked is what is sent.
