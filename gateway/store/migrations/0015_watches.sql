-- People who connect on our own pages and come back to them; what vendors watch for us; keys for what they encrypt to us.

ALTER TABLE oauth_attempts ADD COLUMN back boolean NOT NULL DEFAULT false;

-- What a vendor is to watch for a clinic, kept up by the gateway: begun, renewed before it ends, read again now and then.
CREATE TABLE watches (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    connection  uuid NOT NULL,
    connector   text NOT NULL,
    name        text NOT NULL,              -- of the manifest's [watches]
    about       bytea NOT NULL,             -- keyed hash of what is watched: nothing is watched twice
    state       text NOT NULL,              -- wanted, or ending
    purpose     text NOT NULL,
    sealed      bytea NOT NULL,             -- what is watched, the vendor's answer, where reading goes on, hashes of what was there
    vendor_id   bytea,                      -- keyed hash of how the vendor names it in its messages; null while it watches nothing
    expires_at  timestamptz,                -- when the vendor stops by itself
    read_at     timestamptz,                -- the last whole reading
    sync_at     timestamptz NOT NULL,       -- when to read next
    retry_at    timestamptz,                -- it could not be begun or renewed: not before then
    due_at      timestamptz NOT NULL,       -- when somebody has to see to it
    taken_until timestamptz,                -- a gateway sees to it; past that moment it is taken for dead
    generation  integer NOT NULL DEFAULT 0, -- grows with each time that it is begun: names the call that begins it
    nudge       text,                       -- what the vendor said of it meanwhile: missed, renew, ended
    nudged_at   timestamptz,
    failures    integer NOT NULL DEFAULT 0,
    code        text,                       -- of the last failure
    lost_at     timestamptz,                -- since when nothing watches; the clinic was told
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX watches_about ON watches (tenant, connection, name, about);
CREATE INDEX watches_due ON watches (due_at);
CREATE INDEX watches_vendor ON watches (connection, vendor_id);

-- Key pairs that a connection's vendor encrypts its messages to; the newest is handed out, older ones open what still comes.
CREATE TABLE callback_keys (
    tenant      uuid NOT NULL,
    connection  uuid NOT NULL,
    id          uuid NOT NULL,              -- by which the vendor names the certificate
    certificate text NOT NULL,              -- X.509, base64 of DER
    sealed      bytea NOT NULL,             -- the private key
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, connection, id)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['watches', 'callback_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
    CREATE POLICY watch_lookups ON watches FOR SELECT TO CURRENT_USER USING (true);
END $$;

-- Watches of every tenant that somebody has to see to, and nobody does.
CREATE FUNCTION gateway_watches_due(p_now timestamptz, p_most integer) RETURNS TABLE (tenant uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT w.tenant, w.id FROM watches w
    WHERE w.due_at <= p_now AND coalesce(w.taken_until <= p_now, true) ORDER BY w.due_at LIMIT p_most
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON watches, callback_keys TO gateway_request;
