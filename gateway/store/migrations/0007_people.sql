-- People who sign in to the pages. A person belongs to one clinic or several, with a role in each.
-- What is a person's own is seen only by a transaction that named the person (setting gateway.person); who belongs to a clinic
-- is that clinic's. A tenant's colleagues see a name and an address of each other, never a credential.

CREATE FUNCTION gateway_person() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('gateway.person', true), '')::uuid
$$;

-- A person's own ------------------------------------------------------------------------------------------------------

CREATE TABLE people (
    person      uuid PRIMARY KEY,
    email       text,                       -- normalised; null for somebody whom only a clinic's own sign-in knows
    name        text NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX people_email ON people (email) WHERE email IS NOT NULL;

CREATE TABLE credentials (
    person      uuid PRIMARY KEY,
    password    text,                       -- Argon2id, with its salt and parameters
    key         uuid NOT NULL,              -- the person's data key, wrapped under a master key
    master      text NOT NULL,
    wrapped     bytea NOT NULL,
    totp        bytea,                      -- sealed; in force from totp_since on, proposed before
    totp_since  timestamptz,
    totp_step   bigint NOT NULL DEFAULT 0,  -- the last time step whose code was taken: none is taken twice
    changed_at  timestamptz NOT NULL
);

CREATE TABLE passkeys (
    person      uuid NOT NULL,
    id          uuid NOT NULL,
    credential  bytea NOT NULL,
    public_key  bytea NOT NULL,
    sign_count  bigint NOT NULL,
    title       text NOT NULL,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (person, id)
);
CREATE UNIQUE INDEX passkeys_credential ON passkeys (credential);

CREATE TABLE recovery_codes (
    person      uuid NOT NULL,
    digest      bytea NOT NULL,             -- under the person's own key
    used_at     timestamptz,
    PRIMARY KEY (person, digest)
);

CREATE TABLE sessions (
    person      uuid NOT NULL,
    id          uuid NOT NULL,
    digest      bytea NOT NULL,             -- of the cookie's token, which is kept nowhere
    tenant      uuid NOT NULL,              -- the clinic that is looked at
    role        text NOT NULL,              -- as it was when the token was made: another role gets another token
    via         text NOT NULL CHECK (via IN ('password', 'passkey', 'oidc', 'link')),
    waits       boolean NOT NULL,           -- for the second factor; opens nothing until then
    issuer      text,                       -- who vouches for it, when that is a clinic's own sign-in or system
    frames      text[] NOT NULL,            -- origins that may show its pages in a frame
    device      text NOT NULL,              -- kind of browser and system, in our words
    said        jsonb,                      -- what the next page tells
    created_at  timestamptz NOT NULL,
    proved_at   timestamptz NOT NULL,       -- when the person last proved who they are
    seen_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (person, id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX sessions_digest ON sessions (digest);

-- A clinic's ----------------------------------------------------------------------------------------------------------

CREATE TABLE memberships (
    tenant      uuid NOT NULL,
    person      uuid NOT NULL,
    role        text NOT NULL CHECK (role IN ('owner', 'integrations', 'vendor', 'auditor', 'support')),
    since       timestamptz NOT NULL,
    PRIMARY KEY (tenant, person)
);
CREATE INDEX memberships_person ON memberships (person);

CREATE TABLE invitations (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    digest      bytea NOT NULL,             -- of the link's token
    email       text NOT NULL,
    role        text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    ended_at    timestamptz,                -- accepted or taken back
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX invitations_digest ON invitations (digest);

CREATE TABLE identities (                   -- people whom a clinic's own sign-in or system vouches for
    tenant      uuid NOT NULL,
    issuer      text NOT NULL,
    subject     bytea NOT NULL,             -- keyed hash of what the issuer calls them
    person      uuid NOT NULL,
    PRIMARY KEY (tenant, issuer, subject)
);

CREATE TABLE oidc_providers (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    issuer      text NOT NULL,
    client      text NOT NULL,
    secret      bytea NOT NULL,             -- sealed
    title       text NOT NULL,              -- what people call it
    claim       text NOT NULL,              -- the claim that says who may do what
    roles       jsonb NOT NULL,             -- a value of the claim -> a role of ours
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX oidc_providers_issuer ON oidc_providers (tenant, issuer, client);

CREATE TABLE used_links (
    tenant      uuid NOT NULL,
    issuer      text NOT NULL,
    link        bytea NOT NULL,             -- hash of the token's jti
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, issuer, link)
);

ALTER TABLE issuers ADD COLUMN link_roles text[] NOT NULL DEFAULT '{}', -- roles that its one-time links may give
                    ADD COLUMN frames text[] NOT NULL DEFAULT '{}';     -- origins that may show the pages in a frame

-- Nobody's yet: what a browser was asked, and who tries too often. Reached through the functions below only. ------------

CREATE TABLE challenges (
    digest      bytea PRIMARY KEY,
    kind        text NOT NULL,
    browser     bytea NOT NULL,             -- hash of the cookie of the browser that was asked
    said        jsonb NOT NULL,
    expires_at  timestamptz NOT NULL
);

CREATE TABLE throttles (
    name        bytea PRIMARY KEY,          -- hash of an account or an address
    failures    integer NOT NULL,
    last_at     timestamptz NOT NULL
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['memberships', 'invitations', 'identities', 'oidc_providers', 'used_links'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['people', 'credentials', 'passkeys', 'recovery_codes', 'sessions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_person ON %I USING (person = (SELECT gateway_person())) '
                       'WITH CHECK (person = (SELECT gateway_person()))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['people', 'passkeys', 'sessions', 'invitations', 'oidc_providers', 'credentials'] LOOP
        EXECUTE format('CREATE POLICY lookups ON %I FOR SELECT TO CURRENT_USER USING (true)', name);
    END LOOP;
    EXECUTE 'CREATE POLICY expired ON sessions FOR DELETE TO CURRENT_USER USING (true)';
END $$;

CREATE POLICY own_person ON memberships FOR SELECT USING (person = (SELECT gateway_person()));
CREATE POLICY colleagues ON people FOR SELECT USING (
    EXISTS (SELECT FROM memberships m WHERE m.person = people.person AND m.tenant = ANY ((SELECT gateway_tenants())::uuid[]))
);

-- Questions that come before a person or a tenant is known ---------------------------------------------------------------

CREATE FUNCTION gateway_person_of(p_email text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.person FROM people p WHERE p.email = p_email
$$;

CREATE FUNCTION gateway_session_person(p_digest bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.person FROM sessions s WHERE s.digest = p_digest
$$;

CREATE FUNCTION gateway_passkey_person(p_credential bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.person FROM passkeys k WHERE k.credential = p_credential
$$;

CREATE FUNCTION gateway_invitation_owner(p_digest bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.tenant FROM invitations i WHERE i.digest = p_digest
$$;

CREATE FUNCTION gateway_oidc_owner(p_provider uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.tenant FROM oidc_providers o WHERE o.id = p_provider
$$;
CREATE INDEX oidc_providers_id ON oidc_providers (id);

CREATE FUNCTION gateway_keep_challenge(
    p_digest bytea, p_kind text, p_browser bytea, p_said jsonb, p_expires_at timestamptz
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO challenges VALUES (p_digest, p_kind, p_browser, p_said, p_expires_at)
$$;

-- A challenge is taken once, by the browser that was asked; whoever else shows it uses it up.
CREATE FUNCTION gateway_take_challenge(p_digest bytea, p_kind text, p_browser bytea, p_now timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH taken AS (DELETE FROM challenges c WHERE c.digest = p_digest RETURNING c.*)
    SELECT t.said FROM taken t WHERE t.kind = p_kind AND t.browser = p_browser AND t.expires_at > p_now
$$;

-- An attempt counts before it is made, so that many at once gain nothing. Gives the seconds to wait; such an attempt is not made
-- and counts no further. After the first few each failure doubles the wait.
CREATE FUNCTION gateway_attempt(
    p_name bytea, p_free integer, p_most_seconds integer, p_forget interval, p_now timestamptz
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_row throttles;
    v_wait integer;
BEGIN
    INSERT INTO throttles AS t VALUES (p_name, 0, p_now) ON CONFLICT (name) DO NOTHING;
    SELECT * INTO v_row FROM throttles t WHERE t.name = p_name FOR UPDATE;
    IF v_row.last_at < p_now - p_forget THEN
        v_row.failures := 0;
    END IF;
    IF v_row.failures >= p_free THEN
        v_wait := ceil(extract(epoch FROM v_row.last_at - p_now)
                       + least(2 ^ least(v_row.failures - p_free + 1, 20), p_most_seconds));
        IF v_wait > 0 THEN
            RETURN v_wait;
        END IF;
    END IF;
    UPDATE throttles t SET failures = v_row.failures + 1, last_at = p_now WHERE t.name = p_name;
    RETURN 0;
END $$;

CREATE FUNCTION gateway_attempt_succeeded(p_account bytea, p_address bytea) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM throttles t WHERE t.name = p_account;
    UPDATE throttles t SET failures = greatest(t.failures - 1, 0) WHERE t.name = p_address;
$$;

-- What nobody needs any more.
CREATE FUNCTION gateway_forget_visits(p_now timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM challenges c WHERE c.expires_at < p_now;
    DELETE FROM throttles t WHERE t.last_at < p_now - interval '1 day';
    DELETE FROM sessions s WHERE s.expires_at < p_now;
$$;

-- For the rotation of master keys.
CREATE FUNCTION gateway_person_keys() RETURNS TABLE (person uuid, key uuid, master text, wrapped bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.person, c.key, c.master, c.wrapped FROM credentials c ORDER BY c.person
$$;

GRANT SELECT, INSERT, UPDATE (name) ON people TO gateway_request;
GRANT SELECT, INSERT, UPDATE ON credentials TO gateway_request;
GRANT SELECT, INSERT, UPDATE, DELETE ON passkeys, recovery_codes, sessions TO gateway_request;
GRANT SELECT, INSERT, UPDATE (role, since), DELETE ON memberships TO gateway_request;
GRANT SELECT, INSERT, UPDATE (ended_at) ON invitations TO gateway_request;
GRANT SELECT, INSERT ON identities TO gateway_request;
GRANT SELECT, INSERT, UPDATE, DELETE ON oidc_providers TO gateway_request;
GRANT SELECT, INSERT, DELETE ON used_links TO gateway_request;

-- The auditor's pages read as a role that can do nothing else, and see neither credentials nor anybody's own.
GRANT SELECT ON tenants, heads, entries, nodes, disclosures, outcomes, refusals, registers, agreements, policies, subjects,
    endpoints, deliveries, attempts, notices, memberships TO gateway_auditor;
GRANT SELECT (tenant, id, connector, state, account, provider_scopes, features, withheld, free_text, grant_version, expires_at,
              created_at, changed_at) ON connections TO gateway_auditor;
GRANT SELECT (tenant, id, subject, purposes, channels, given_at, expires_at, withdrawn_at) ON consents TO gateway_auditor;
