-- One registration at a network of health records, for every clinic: its session, what the network has on file about us, which
-- facility is whose, and the letters that it sends.

-- What is the whole gateway's stands under the nil tenant, as the registrations at vendors do.
-- A line is one environment of one network: it has a registration, a session and facilities of its own.
CREATE TABLE network_sessions (
    tenant      uuid NOT NULL,
    line        text NOT NULL,              -- as `connector@environment`
    sealed      bytea,                      -- the token; null until there is one
    generation  integer NOT NULL DEFAULT 0, -- grows with each token that is stored
    received_at timestamptz,
    expires_at  timestamptz,
    refused     integer NOT NULL DEFAULT 0, -- logins since the last one that was taken: counted before they are made
    asked_at    timestamptz,                -- the last of them
    troubles    integer NOT NULL DEFAULT 0, -- times in a row that the network was out of order
    retry_at    timestamptz,                -- nobody asks before then
    code        text,                       -- what became of the last one, where it was not taken
    PRIMARY KEY (tenant, line)
);

CREATE TABLE network_bridges (              -- how the network's file on us compares with what we are
    tenant      uuid NOT NULL,
    line        text NOT NULL,
    faults      text[] NOT NULL,            -- codes; none where all is as it should be
    since       timestamptz NOT NULL,       -- that it is so
    looked_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, line)
);

CREATE TABLE network_facilities (
    tenant      uuid NOT NULL,
    connector   text NOT NULL,
    connection  uuid NOT NULL,
    environment text NOT NULL,
    facility    text NOT NULL,              -- as the register of facilities names it
    service     text NOT NULL,              -- as the network's messages name it
    name        text NOT NULL,              -- as the network has it on file
    faults      text[] NOT NULL DEFAULT '{}',
    since       timestamptz NOT NULL,       -- that the faults are these, or that there are none
    looked_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, connector)
);
CREATE UNIQUE INDEX network_facilities_service ON network_facilities (connector, environment, service); -- one clinic's

CREATE TABLE network_letters (
    tenant      uuid NOT NULL,
    connection  uuid NOT NULL,
    identity    bytea NOT NULL,             -- hash of the network's own id of it
    at          timestamptz NOT NULL,
    late_seconds integer NOT NULL,          -- how much older its proof was than it may be: a repeat
    sealed      bytea,                      -- headers and body as they came; null once it is worked off
    ended       text,                       -- what became of it
    PRIMARY KEY (tenant, connection, identity)
);
CREATE INDEX network_letters_at ON network_letters (tenant, at);
CREATE INDEX network_letters_open ON network_letters (at) WHERE sealed IS NOT NULL;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['network_sessions', 'network_bridges', 'network_facilities', 'network_letters'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['network_facilities', 'network_letters'] LOOP
        EXECUTE format('CREATE POLICY network_lookups ON %I FOR SELECT TO CURRENT_USER USING (true)', name);
    END LOOP;
END $$;

-- Questions that come before a tenant is known: a letter names a facility and nothing else.
CREATE FUNCTION gateway_facility_owner(p_connector text, p_environment text, p_service text) RETURNS TABLE (tenant uuid, connection uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.tenant, f.connection FROM network_facilities f
    WHERE f.connector = p_connector AND f.environment = p_environment AND f.service = p_service
$$;

-- Every clinic's facility on one line: what the network's file is compared with.
CREATE FUNCTION gateway_facilities(p_connector text, p_environment text)
RETURNS TABLE (tenant uuid, connection uuid, facility text, service text, name text, faults text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.tenant, f.connection, f.facility, f.service, f.name, f.faults FROM network_facilities f
    WHERE f.connector = p_connector AND f.environment = p_environment ORDER BY f.service
$$;

-- Letters that are older and not worked off: their job was lost, or fails.
CREATE FUNCTION gateway_letters_open(p_before timestamptz, p_most integer)
RETURNS TABLE (tenant uuid, connection uuid, identity bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.tenant, l.connection, l.identity FROM network_letters l
    WHERE l.sealed IS NOT NULL AND l.at < p_before ORDER BY l.at LIMIT p_most
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON network_sessions, network_bridges, network_facilities, network_letters TO gateway_request;
