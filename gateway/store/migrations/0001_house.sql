-- The house: tenants, what they allowed, and the ledger. Every table is keyed by tenant first.
-- Rows are seen only by a transaction that named its tenants (setting gateway.tenants); the role gateway_request owns nothing.

CREATE FUNCTION gateway_tenants() RETURNS uuid[]
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT string_to_array(nullif(current_setting('gateway.tenants', true), ''), ',')::uuid[]
$$;

CREATE FUNCTION gateway_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is insert-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- Tenants and what they allowed ---------------------------------------------------------------------------------------

CREATE TABLE tenants (
    tenant      uuid PRIMARY KEY,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE data_keys (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    master      text NOT NULL,              -- id of the master key that wraps it
    wrapped     bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE TABLE connections (
    tenant          uuid NOT NULL,
    id              uuid NOT NULL,
    connector       text NOT NULL,
    state           text NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'revoked')),
    account         text,                   -- the vendor's account that the connection acts for
    provider_scopes text[] NOT NULL,
    features        text[] NOT NULL,
    withheld        text[] NOT NULL,
    free_text       text[] NOT NULL,
    grant_version   integer NOT NULL DEFAULT 1,
    credential      bytea,                  -- sealed; null when revoked
    expires_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
-- One live connection per connector: a call names the connector, never the connection.
CREATE UNIQUE INDEX connections_live ON connections (tenant, connector) WHERE state <> 'revoked';

CREATE TABLE subjects (
    tenant      uuid NOT NULL,
    lookup      bytea NOT NULL,             -- keyed hash of the host's reference
    pseudonym   uuid NOT NULL,
    PRIMARY KEY (tenant, lookup)
);

CREATE TABLE api_keys (
    tenant      uuid NOT NULL,
    id          text NOT NULL,
    digest      bytea NOT NULL,
    title       text NOT NULL,
    scopes      text[] NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX api_keys_id ON api_keys (id);

CREATE TABLE issuers (
    tenant      uuid NOT NULL,
    issuer      text NOT NULL,
    audience    text NOT NULL,
    jwks        jsonb NOT NULL,
    roles       jsonb NOT NULL,             -- role in the token -> scopes of ours
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, issuer)
);
CREATE UNIQUE INDEX issuers_issuer ON issuers (issuer);

CREATE TABLE replies (                      -- answers to repeated POSTs other than calls
    tenant      uuid NOT NULL,
    key         bytea NOT NULL,
    fingerprint bytea NOT NULL,
    status      integer,                    -- null while the first request is under way
    sealed      bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key)
);

-- The ledger ----------------------------------------------------------------------------------------------------------

CREATE TABLE heads (
    tenant      uuid PRIMARY KEY,
    size        bigint NOT NULL DEFAULT 0,
    edge        bytea NOT NULL DEFAULT '',  -- the right edge: 32-byte subtree hashes, largest first
    standing    bigint NOT NULL DEFAULT 1   -- grows with every change of what the tenant allows
) WITH (fillfactor = 20);

CREATE TABLE entries (
    tenant      uuid NOT NULL,
    index       bigint NOT NULL,
    kind        text NOT NULL,
    at          timestamptz NOT NULL,
    body        bytea NOT NULL,             -- what is hashed is what is stored
    leaf        bytea NOT NULL,
    PRIMARY KEY (tenant, index)
);
CREATE INDEX entries_at ON entries USING brin (at);

CREATE TABLE nodes (                        -- hashes of full subtrees, levels 8, 16, 24, ...
    tenant      uuid NOT NULL,
    level       smallint NOT NULL,
    index       bigint NOT NULL,
    hash        bytea NOT NULL,
    PRIMARY KEY (tenant, level, index)
);

CREATE TABLE writers (                      -- one row per ledger writer; its advisory lock says that it lives
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE disclosures (                  -- the searchable side of intents; salt and subject can be erased
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    at          timestamptz NOT NULL,
    connector   text NOT NULL,
    action      text NOT NULL,
    connection  uuid NOT NULL,
    recipient   text NOT NULL,
    purpose     text NOT NULL,
    categories  text[] NOT NULL,
    subject     uuid,
    actor       text NOT NULL,
    salt        bytea,
    idempotency bytea,
    fingerprint bytea,
    index       bigint NOT NULL,
    writer      bigint NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX disclosures_subject ON disclosures (tenant, subject, id) WHERE subject IS NOT NULL;
CREATE UNIQUE INDEX disclosures_idempotency ON disclosures (tenant, idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX disclosures_writer ON disclosures USING brin (writer);

CREATE TABLE outcomes (
    tenant      uuid NOT NULL,
    disclosure  uuid NOT NULL,
    at          timestamptz NOT NULL,
    outcome     text NOT NULL,
    code        text,
    index       bigint NOT NULL,
    PRIMARY KEY (tenant, disclosure, index)
);

CREATE TABLE refusals (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    at          timestamptz NOT NULL,
    connector   text NOT NULL,
    action      text NOT NULL,
    purpose     text NOT NULL,
    subject     uuid,
    reasons     text[] NOT NULL,
    index       bigint NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE answers (                      -- minimized answers kept for repeats of an Idempotency-Key
    tenant      uuid NOT NULL,
    disclosure  uuid NOT NULL,
    at          timestamptz NOT NULL,
    sealed      bytea NOT NULL,
    PRIMARY KEY (tenant, disclosure)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['entries', 'nodes', 'outcomes', 'refusals'] LOOP
        EXECUTE format('CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION gateway_insert_only()', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['tenants', 'data_keys', 'connections', 'subjects', 'api_keys', 'issuers', 'replies', 'heads',
                                'entries', 'nodes', 'disclosures', 'outcomes', 'refusals', 'answers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
END $$;

-- The functions below that run as the owner may look tenants up; forced row security binds the owner too.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['api_keys', 'issuers', 'disclosures', 'outcomes', 'data_keys'] LOOP
        EXECUTE format('CREATE POLICY lookups ON %I FOR SELECT TO CURRENT_USER USING (true)', name);
    END LOOP;
END $$;

-- Questions that come before a tenant is known: which tenant does this key or issuer belong to, whose intents are orphaned?

CREATE FUNCTION gateway_key_owner(key_id text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant FROM api_keys k WHERE k.id = key_id
$$;

CREATE FUNCTION gateway_issuer_owner(issuer_name text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.tenant FROM issuers i WHERE i.issuer = issuer_name
$$;

CREATE FUNCTION gateway_key_tenants() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT d.tenant FROM data_keys d ORDER BY d.tenant
$$;

-- A writer lives as long as its session holds the advisory lock under its id.
CREATE FUNCTION gateway_writer_lives(p_writer bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = 7301
            AND l.objid = (p_writer % 2147483647)::oid
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
$$;

-- Intents of writers that no longer live (nobody holds their advisory lock) and that have no outcome.
CREATE FUNCTION gateway_orphans(at_most integer) RETURNS TABLE (tenant uuid, id uuid, index bigint, writer bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS MATERIALIZED (SELECT w.id FROM writers w WHERE NOT gateway_writer_lives(w.id))
    SELECT d.tenant, d.id, d.index, d.writer FROM disclosures d JOIN gone ON d.writer = gone.id
    WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.tenant = d.tenant AND o.disclosure = d.id)
    ORDER BY d.tenant, d.index LIMIT at_most
$$;

CREATE FUNCTION gateway_forget_writers() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM writers w WHERE NOT gateway_writer_lives(w.id)
$$;

GRANT SELECT ON tenants, gateway_migrations TO gateway_request;
GRANT SELECT, INSERT, UPDATE ON data_keys, connections, api_keys, issuers, heads TO gateway_request;
GRANT SELECT, INSERT, UPDATE, DELETE ON subjects, replies, answers TO gateway_request;
GRANT SELECT, INSERT ON tenants, entries, nodes, outcomes, refusals, disclosures, writers TO gateway_request;
GRANT UPDATE (salt, subject) ON disclosures TO gateway_request;
