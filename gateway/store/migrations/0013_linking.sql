-- Linking visits at a network of health records, from the clinic's side and from the patient's, and the queue at the desk.

-- What the network was told under an id of ours and answers with a letter of its own. Written before it is told.
CREATE TABLE network_requests (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,              -- the network's REQUEST-ID: what the answer refers to
    connector   text NOT NULL,
    action      text NOT NULL,
    subject     uuid NOT NULL,
    contexts    uuid[] NOT NULL,
    attempt     integer NOT NULL,
    at          timestamptz NOT NULL,
    due_at      timestamptz,                -- when to tell it, or where it was told, to look why nothing was heard
    told_at     timestamptz,
    answered_at timestamptz,
    code        text,                       -- what went wrong, as the network or the gateway says
    PRIMARY KEY (tenant, id)
);
CREATE INDEX network_requests_subject ON network_requests (subject, at);
CREATE INDEX network_requests_due ON network_requests (due_at) WHERE due_at IS NOT NULL;

-- The network's permission to link one patient's visits: one for each patient, used for half a year.
CREATE TABLE link_tokens (
    tenant      uuid NOT NULL,
    connector   text NOT NULL,
    subject     uuid NOT NULL,
    sealed      bytea NOT NULL,
    got_at      timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, connector, subject)
);

-- How far a visit is linked, and for which kinds of document the network knows it.
CREATE TABLE links (
    tenant      uuid NOT NULL,
    context     uuid NOT NULL,
    subject     uuid NOT NULL,
    state       text NOT NULL CHECK (state IN ('wanted', 'asked', 'linked', 'failed')),
    kinds       text[] NOT NULL,
    changed_at  timestamptz NOT NULL,
    linked_at   timestamptz,
    code        text,
    PRIMARY KEY (tenant, context)
);
CREATE INDEX links_subject ON links (subject);

-- Visits that a patient was shown, and each attempt to link some of them, with the hash of the code that proves it.
CREATE TABLE link_attempts (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,              -- the network is told this as the link's reference
    connector   text NOT NULL,
    transaction text NOT NULL,              -- the network's own id of the exchange
    subject     uuid NOT NULL,
    address     bytea NOT NULL,             -- keyed hash of who asks
    contexts    uuid[] NOT NULL,
    state       text NOT NULL CHECK (state IN ('shown', 'sent', 'confirmed', 'failed')),
    code        bytea,                      -- keyed hash of the code
    tries       integer NOT NULL DEFAULT 0,
    at          timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX link_attempts_transaction ON link_attempts (transaction, connector, tenant) WHERE state = 'shown';
CREATE INDEX link_attempts_subject ON link_attempts (subject, at);

-- Places in the queue of a counter, numbered anew each day.
CREATE TABLE desk_places (
    tenant      uuid NOT NULL,
    connector   text NOT NULL,
    counter     text NOT NULL,
    day         date NOT NULL,
    number      integer NOT NULL,
    id          uuid NOT NULL,
    address     bytea NOT NULL,             -- keyed hash of who shared
    sealed      bytea NOT NULL,             -- the profile
    at          timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    seen_at     timestamptz,                -- when the desk took it
    PRIMARY KEY (tenant, connector, counter, day, number)
);
CREATE INDEX desk_places_at ON desk_places (at);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['network_requests', 'link_tokens', 'links', 'link_attempts', 'desk_places'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
END $$;
CREATE POLICY due_lookups ON network_requests FOR SELECT TO CURRENT_USER USING (true);

-- What is to be looked at again and whose job was lost: a question that comes before a tenant is known.
CREATE FUNCTION gateway_due_requests(p_before timestamptz, p_most integer)
RETURNS TABLE (tenant uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant, r.id FROM network_requests r WHERE r.due_at < p_before ORDER BY r.due_at LIMIT p_most
$$;

GRANT SELECT, INSERT, DELETE ON network_requests, link_tokens, links, link_attempts, desk_places TO gateway_request;
GRANT UPDATE (due_at, told_at, answered_at, code) ON network_requests TO gateway_request;
GRANT UPDATE (sealed, got_at, expires_at) ON link_tokens TO gateway_request;
GRANT UPDATE (state, kinds, changed_at, linked_at, code) ON links TO gateway_request;
GRANT UPDATE (state, tries) ON link_attempts TO gateway_request;
GRANT UPDATE (seen_at, expires_at) ON desk_places TO gateway_request;
