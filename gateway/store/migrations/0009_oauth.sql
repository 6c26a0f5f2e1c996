-- Connecting by OAuth: the gateway's registrations at vendors, who is just connecting, and the tokens that came of it.

-- The vendor accepts what it granted no more: nothing goes out until somebody connects again. No state of its own, since the
-- connection may be suspended and resumed meanwhile.
ALTER TABLE connections ADD COLUMN reconnect_since timestamptz;
ALTER TABLE connections ADD COLUMN reconnect_reason text;

-- The operator's registrations stand under the nil tenant, which has a data key and nothing else.
CREATE TABLE oauth_clients (
    tenant      uuid NOT NULL,
    connector   text NOT NULL,
    client_id   text NOT NULL,
    sealed      bytea NOT NULL,             -- the secret, or the private key and its certificate
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, connector)
);

CREATE TABLE oauth_attempts (               -- somebody is about to connect; each address is good for one person and one time
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    connection  uuid NOT NULL,
    link        bytea NOT NULL,             -- SHA-256 of what the link to begin with holds
    asked       text[] NOT NULL,            -- provider scopes
    sealed      bytea,                      -- PKCE verifier and nonce; null until it has begun and once it has ended
    state       bytea,                      -- SHA-256 of the state that the vendor hands back
    browser     bytea,                      -- SHA-256 of what the cookie of the browser holds in which it began
    redirect    text,                       -- the address that the vendor sends the person back to
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    code        text,                       -- how it ended
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX oauth_attempts_id ON oauth_attempts (id);
CREATE INDEX oauth_attempts_connection ON oauth_attempts (connection);

CREATE TABLE oauth_tokens (
    tenant      uuid NOT NULL,
    connection  uuid NOT NULL,
    asked       text[] NOT NULL,            -- provider scopes
    granted     text[] NOT NULL,
    excess      text[] NOT NULL,            -- what was granted beyond that, where it was refused for it
    sealed      bytea,                      -- access and refresh token; null until there are any
    generation  integer NOT NULL DEFAULT 0, -- grows with each answer that is stored
    received_at timestamptz,
    expires_at  timestamptz,
    refresh_at  timestamptz,                -- when to refresh ahead of the expiry; null where there is nothing to refresh
    begun_at    timestamptz,                -- the vendor was asked for the next generation, and its answer is not stored
    retry_at    timestamptz,                -- the vendor failed: not before then
    failures    integer NOT NULL DEFAULT 0,
    failed_on   date,                       -- the last day (UTC) on which it failed
    failing_days integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, connection)
);
CREATE INDEX oauth_tokens_due ON oauth_tokens (refresh_at) WHERE refresh_at IS NOT NULL;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['oauth_clients', 'oauth_attempts', 'oauth_tokens'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['oauth_attempts', 'oauth_tokens'] LOOP
        EXECUTE format('CREATE POLICY oauth_lookups ON %I FOR SELECT TO CURRENT_USER USING (true)', name);
    END LOOP;
END $$;

-- Questions that come before a tenant is known: a browser comes with the id of an attempt and nothing else.
CREATE FUNCTION gateway_attempt_owner(p_attempt uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant FROM oauth_attempts a WHERE a.id = p_attempt
$$;

-- Tokens to refresh ahead of time. A suspended connection keeps its grant: now and then is enough for that.
CREATE FUNCTION gateway_tokens_due(p_now timestamptz, p_most integer) RETURNS TABLE (tenant uuid, connection uuid, connector text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant, t.connection, c.connector
    FROM oauth_tokens t JOIN connections c ON c.tenant = t.tenant AND c.id = t.connection
    WHERE t.refresh_at <= p_now AND coalesce(t.retry_at <= p_now, true) AND t.sealed IS NOT NULL AND c.reconnect_since IS NULL
        AND (c.state = 'active' OR c.state = 'suspended' AND t.refresh_at <= p_now - interval '7 days')
    ORDER BY t.refresh_at LIMIT p_most
$$;

-- Tokens of connections that are revoked, and that the vendor may not have been told of.
CREATE FUNCTION gateway_tokens_left(p_before timestamptz, p_most integer)
RETURNS TABLE (tenant uuid, connection uuid, connector text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant, t.connection, c.connector
    FROM oauth_tokens t JOIN connections c ON c.tenant = t.tenant AND c.id = t.connection
    WHERE c.state = 'revoked' AND c.changed_at < p_before ORDER BY c.changed_at LIMIT p_most
$$;
CREATE INDEX connections_revoked ON connections (changed_at) WHERE state = 'revoked';

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_clients, oauth_attempts, oauth_tokens TO gateway_request;
