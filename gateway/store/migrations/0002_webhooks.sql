-- Webhooks: endpoints of vendors, events, deliveries and their attempts; callbacks of vendors to us; jobs of the queue.
-- The queue's own tables are pgqueuer's (gateway/store/migrate.py lays them); its rows hold ids and nothing else.

-- Endpoints: a vendor's address and what the clinic lets it hear ---------------------------------------------------------

CREATE TABLE endpoints (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    url         text NOT NULL,
    state       text NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'off', 'removed')),
    why         text,                       -- why it is suspended or off: clinic, gone (410), failing
    events      text[] NOT NULL,            -- types, prefixes such as appointment.*, or *
    purpose     text NOT NULL,
    categories  text[] NOT NULL,            -- kinds of data that it may get beyond the id
    fields      text[] NOT NULL,            -- granted fields, as type:path; none of them in a thin event
    recipient   text NOT NULL,
    country     text NOT NULL,
    agreement   text,                       -- the agreement that covers it, as the clinic names it
    signing     text NOT NULL CHECK (signing IN ('v1', 'v1a')),
    grant_version integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE TABLE endpoint_secrets (
    tenant      uuid NOT NULL,
    endpoint    uuid NOT NULL,
    id          uuid NOT NULL,
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,                -- set when it is rotated out: both sign until then
    PRIMARY KEY (tenant, endpoint, id)
);

-- How an endpoint's deliveries go: at most one gateway works through them at a time, under its ledger writer's id.
CREATE TABLE lanes (
    tenant      uuid NOT NULL,
    endpoint    uuid NOT NULL,
    woken       boolean NOT NULL DEFAULT false, -- a job that will look at it is in the queue, or works on it
    holder      bigint,                     -- the ledger writer of the gateway that works on it
    failures    integer NOT NULL DEFAULT 0, -- in a row
    failing_since timestamptz,              -- the first failure after the last success
    warned      smallint NOT NULL DEFAULT 0,    -- how far through its patience the clinic was told, in percent
    paused_until timestamptz,               -- the circuit is open until then
    alarm_at    timestamptz,                -- a job for this moment is in the queue
    PRIMARY KEY (tenant, endpoint)
) WITH (fillfactor = 50);

-- Events and deliveries ---------------------------------------------------------------------------------------------------

CREATE TABLE events (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,              -- the webhook-id, of every delivery of it
    at          timestamptz NOT NULL,
    type        text NOT NULL,
    source      text NOT NULL,              -- host, gateway, or the connector whose vendor called
    subject     uuid,
    sequence    bigint,                     -- counts the subject's events, so that a receiver can put them in order
    sealed      bytea,                      -- the declared fields; null once the time to keep them is over
    PRIMARY KEY (tenant, id)
);
CREATE INDEX events_kept ON events (tenant, at) WHERE sealed IS NOT NULL;
CREATE INDEX events_subject ON events (tenant, subject) WHERE subject IS NOT NULL AND sealed IS NOT NULL;

CREATE TABLE sequences (
    tenant      uuid NOT NULL,
    subject     uuid NOT NULL,
    last        bigint NOT NULL,
    PRIMARY KEY (tenant, subject)
) WITH (fillfactor = 50);

CREATE TABLE deliveries (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    event       uuid NOT NULL,
    endpoint    uuid NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'delivered', 'exhausted', 'refused', 'cancelled')),
    next_at     timestamptz NOT NULL,       -- of a waiting one: when it is due
    attempts    integer NOT NULL DEFAULT 0,
    round       smallint NOT NULL DEFAULT 0,    -- attempts since it was last put on the schedule; a replay starts anew
    code        text,                       -- of the last attempt
    status      smallint,                   -- HTTP status of the last attempt
    changed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 80);
-- Only the primary key begins with the tenant. An index that did would be a match for `tenant = .. AND id = ..` too, and a plan
-- made while the table was empty may take it and then read every row of the tenant for one (ids are unique across tenants).
CREATE UNIQUE INDEX deliveries_once ON deliveries (event, endpoint, tenant);
CREATE INDEX deliveries_due ON deliveries (endpoint, next_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_endpoint ON deliveries (endpoint, id);

CREATE TABLE attempts (
    tenant      uuid NOT NULL,
    delivery    uuid NOT NULL,
    number      integer NOT NULL,
    at          timestamptz NOT NULL,
    milliseconds integer NOT NULL,
    outcome     text NOT NULL,
    status      smallint,
    code        text,
    disclosure  uuid NOT NULL,              -- each attempt is a disclosure of its own in the ledger
    PRIMARY KEY (tenant, delivery, number, disclosure)
);

-- Callbacks: what vendors tell us -----------------------------------------------------------------------------------------

CREATE TABLE callback_secrets (
    tenant      uuid NOT NULL,
    connection  uuid NOT NULL,
    id          uuid NOT NULL,
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    PRIMARY KEY (tenant, connection, id)
);

CREATE TABLE callbacks (
    tenant      uuid NOT NULL,
    connection  uuid NOT NULL,
    identity    bytea NOT NULL,             -- hash of what makes two messages the same, from what was signed
    at          timestamptz NOT NULL,
    sealed      bytea,                      -- the declared fields of its events; null once they are published
    PRIMARY KEY (tenant, connection, identity)
);
CREATE INDEX callbacks_at ON callbacks (tenant, at);
CREATE INDEX callbacks_unpublished ON callbacks (tenant, at) WHERE sealed IS NOT NULL;

-- What the clinic is told ---------------------------------------------------------------------------------------------------

CREATE TABLE notices (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    at          timestamptz NOT NULL,
    kind        text NOT NULL,
    about       uuid,                       -- the endpoint or connection
    detail      jsonb NOT NULL,             -- codes and numbers only
    read_at     timestamptz,
    PRIMARY KEY (tenant, id)
);

-- How long what was delivered is kept, in days.
ALTER TABLE tenants ADD COLUMN keep_days integer NOT NULL DEFAULT 7 CHECK (keep_days BETWEEN 0 AND 90);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['endpoints', 'endpoint_secrets', 'lanes', 'events', 'sequences', 'deliveries', 'attempts',
                                'callback_secrets', 'callbacks', 'notices'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['connections', 'lanes', 'endpoints', 'deliveries', 'tenants'] LOOP
        EXECUTE format('CREATE POLICY webhook_lookups ON %I FOR SELECT TO CURRENT_USER USING (true)', name);
    END LOOP;
END $$;

-- Publish: the event, a delivery for each endpoint that subscribed to it, and which lanes have to be woken -----------------
-- An event that is there already is published no second time: then there is no row.

-- The lock is shared by everybody who publishes for a tenant. Whoever closes a lane takes it alone (gateway_close_lane): so
-- no publisher that saw the lane awake can commit after the lane has looked for the last time.
CREATE FUNCTION gateway_publish(
    p_tenant uuid, p_id uuid, p_at timestamptz, p_type text, p_source text, p_subject uuid, p_sealed bytea, p_only uuid
) RETURNS TABLE (deliveries integer, woken uuid[], sequence bigint)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_sequence bigint;
    v_endpoints uuid[];
    v_woken uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7302, hashtext(p_tenant::text));
    -- An id that is drawn from what caused the event comes a second time when its job was cut off: published already.
    IF EXISTS (SELECT FROM events e WHERE e.tenant = p_tenant AND e.id = p_id) THEN
        RETURN;
    END IF;
    IF p_subject IS NOT NULL THEN
        INSERT INTO sequences AS s (tenant, subject, last) VALUES (p_tenant, p_subject, 1)
            ON CONFLICT (tenant, subject) DO UPDATE SET last = s.last + 1 RETURNING s.last INTO v_sequence;
    END IF;
    INSERT INTO events (tenant, id, at, type, source, subject, sequence, sealed)
        VALUES (p_tenant, p_id, p_at, p_type, p_source, p_subject, v_sequence, p_sealed) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(e.id ORDER BY e.id), '{}') INTO v_endpoints FROM endpoints e
        WHERE e.tenant = p_tenant AND e.state = 'active' AND CASE WHEN p_only IS NOT NULL THEN e.id = p_only ELSE EXISTS (
            SELECT FROM unnest(e.events) AS wanted
            WHERE wanted = '*' OR wanted = p_type OR (right(wanted, 2) = '.*' AND starts_with(p_type, left(wanted, -1)))
        ) END;
    -- The ids begin with the event's, which begins with the time: a list by id is a list by time.
    INSERT INTO deliveries (tenant, id, event, endpoint, state, next_at)
        SELECT p_tenant,
               encode(substring(uuid_send(p_id) FOR 8) || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid,
               p_id, wanted, 'waiting', p_at FROM unnest(v_endpoints) AS wanted;
    v_woken := gateway_wake(p_tenant, v_endpoints);
    RETURN QUERY SELECT cardinality(v_endpoints), v_woken, v_sequence;
END $$;

-- Those of the endpoints whose lanes slept: each needs a job, in this transaction. The caller holds the shared lock.
CREATE FUNCTION gateway_wake(p_tenant uuid, p_endpoints uuid[]) RETURNS uuid[]
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE v_woken uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7302, hashtext(p_tenant::text));
    WITH slept AS (
        SELECT l.endpoint FROM lanes l WHERE l.tenant = p_tenant AND l.endpoint = ANY (p_endpoints) AND NOT l.woken
        ORDER BY l.endpoint FOR UPDATE
    ), woken AS (
        UPDATE lanes l SET woken = true FROM slept s WHERE l.tenant = p_tenant AND l.endpoint = s.endpoint AND NOT l.woken
        RETURNING l.endpoint
    )
    SELECT coalesce(array_agg(w.endpoint), '{}') INTO v_woken FROM woken w;
    RETURN v_woken;
END $$;

-- Begin to work on a lane: false when another gateway that lives is at it. That one will see what is due before it stops.
-- A job that was put there for a moment names it (p_alarm): that moment is no longer in the queue, opened or not.
CREATE FUNCTION gateway_open_lane(p_tenant uuid, p_endpoint uuid, p_writer bigint, p_alarm timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE v_opened boolean;
BEGIN
    UPDATE lanes l SET alarm_at = NULL
        WHERE l.tenant = p_tenant AND l.endpoint = p_endpoint AND l.alarm_at = p_alarm;
    -- Its own holder may begin anew: a gateway never works on one lane twice at a time.
    UPDATE lanes l SET holder = p_writer, woken = true
        WHERE l.tenant = p_tenant AND l.endpoint = p_endpoint
            AND (l.holder IS NULL OR l.holder = p_writer OR NOT gateway_writer_lives(l.holder))
        RETURNING true INTO v_opened;
    RETURN coalesce(v_opened, false);
END $$;

-- What is due, the longest due first, but for what is being worked on. Only the index deliveries_due gives that order without
-- sorting, so that no plan can read more rows than are wanted, however many wait and whatever is known of the tables.
CREATE FUNCTION gateway_due(p_tenant uuid, p_endpoint uuid, p_now timestamptz, p_but uuid[], p_most integer)
RETURNS TABLE (
    id uuid, attempts integer, round smallint, event uuid, at timestamptz, type text, subject uuid, sequence bigint, sealed bytea
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN QUERY SELECT d.id, d.attempts, d.round, d.event, e.at, e.type, e.subject, e.sequence, e.sealed FROM (
        SELECT w.id, w.attempts, w.round, w.event, w.next_at FROM deliveries w
        WHERE w.tenant = p_tenant AND w.endpoint = p_endpoint AND w.state = 'waiting' AND w.next_at <= p_now
            AND w.id <> ALL (p_but)
        ORDER BY w.endpoint, w.next_at, w.id LIMIT p_most
    ) d LEFT JOIN LATERAL (
        -- The limit keeps the two apart: each event is looked up by its key, and never the tenant's events by the delivery's.
        SELECT v.at, v.type, v.subject, v.sequence, v.sealed FROM events v
        WHERE v.tenant = p_tenant AND v.id = d.event LIMIT 1
    ) e ON true;
END $$;

-- First half of stopping: from here to the commit nobody publishes for the tenant and nobody opens the lane, so that the
-- time, read now, decides what is due.
CREATE FUNCTION gateway_lock_lane(p_tenant uuid, p_endpoint uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7302, hashtext(p_tenant::text));
    PERFORM 1 FROM lanes l WHERE l.tenant = p_tenant AND l.endpoint = p_endpoint FOR UPDATE;
END $$;

-- Second half: stop, unless something is due and the lane is not paused. Gives the moment for which a job is to be put into
-- the queue, in this transaction, or nothing where there is one already or nothing waits. The lane of an endpoint that is not
-- active just falls asleep: whoever lets it go on wakes it.
CREATE FUNCTION gateway_close_lane(
    p_tenant uuid, p_endpoint uuid, p_writer bigint, p_now timestamptz, p_paused_until timestamptz
) RETURNS TABLE (closed boolean, alarm_at timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_next timestamptz;
    v_lane lanes;
BEGIN
    IF NOT EXISTS (SELECT FROM endpoints e WHERE e.tenant = p_tenant AND e.id = p_endpoint AND e.state = 'active') THEN
        UPDATE lanes l SET holder = NULL, woken = false
            WHERE l.tenant = p_tenant AND l.endpoint = p_endpoint AND l.holder = p_writer;
        RETURN QUERY SELECT true, NULL::timestamptz;
        RETURN;
    END IF;
    SELECT d.next_at INTO v_next FROM deliveries d
        WHERE d.tenant = p_tenant AND d.endpoint = p_endpoint AND d.state = 'waiting'
        ORDER BY d.tenant, d.endpoint, d.next_at LIMIT 1;
    IF v_next <= p_now AND p_paused_until IS NULL THEN
        RETURN QUERY SELECT false, NULL::timestamptz;
        RETURN;
    END IF;
    SELECT * INTO v_lane FROM lanes l WHERE l.tenant = p_tenant AND l.endpoint = p_endpoint;
    v_next := greatest(v_next, p_paused_until);
    IF v_lane.alarm_at > p_now AND v_lane.alarm_at <= v_next THEN
        v_next := NULL;
    END IF;
    -- A paused lane stays awake: its job is in the queue for the end of the pause, and publishers need add none.
    UPDATE lanes l SET holder = NULL, woken = p_paused_until IS NOT NULL, alarm_at = coalesce(v_next, l.alarm_at)
        WHERE l.tenant = p_tenant AND l.endpoint = p_endpoint AND l.holder = p_writer;
    RETURN QUERY SELECT true, v_next;
END $$;

-- Questions that come before a tenant is known --------------------------------------------------------------------------------

CREATE FUNCTION gateway_connection_owner(p_connection uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant FROM connections c WHERE c.id = p_connection
$$;
CREATE INDEX connections_id ON connections (id);

-- Lanes that have work and nobody who will look at it: their gateway died, or their job was lost.
CREATE FUNCTION gateway_stranded_lanes(p_now timestamptz, p_most integer) RETURNS TABLE (tenant uuid, endpoint uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.tenant, l.endpoint FROM lanes l JOIN endpoints e ON e.tenant = l.tenant AND e.id = l.endpoint
    WHERE e.state = 'active' AND coalesce(l.paused_until <= p_now, true)
        AND (l.holder IS NULL OR NOT gateway_writer_lives(l.holder))
        AND EXISTS (SELECT FROM deliveries d WHERE d.tenant = l.tenant AND d.endpoint = l.endpoint
                    AND d.state = 'waiting' AND d.next_at <= p_now)
    LIMIT p_most
$$;

CREATE FUNCTION gateway_all_tenants() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant FROM tenants t ORDER BY t.tenant
$$;

-- Append to the ledger: all of a batch, or nothing (40001) when a head is not where the caller thought it ------------------

CREATE TYPE gateway_head_move AS (tenant uuid, size bigint, standing bigint, new_size bigint, new_edge bytea);
CREATE TYPE gateway_settlement AS (
    tenant uuid, delivery uuid, number integer, at timestamptz, milliseconds integer, outcome text, status smallint, code text,
    disclosure uuid, state text, next_at timestamptz, round smallint
);

CREATE FUNCTION gateway_append(
    p_moves gateway_head_move[], p_entries entries[], p_disclosures disclosures[], p_outcomes outcomes[],
    p_answers answers[], p_refusals refusals[], p_nodes nodes[], p_settlements gateway_settlement[]
) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- A session keeps its plans: one made while the tables were empty would read the whole of them when they are full. So the
-- deliveries are settled one by one, by their key.
DECLARE
    v_settled gateway_settlement;
    v_tenants uuid[] := ARRAY(SELECT m.tenant FROM unnest(p_moves) m);
    v_moved integer;
BEGIN
    PERFORM set_config('gateway.tenants', array_to_string(v_tenants, ','), true);
    IF cardinality(v_tenants) > 1 THEN
        -- In one order everywhere, so that two writers wait for each other and never deadlock.
        PERFORM 1 FROM heads h WHERE h.tenant = ANY (v_tenants) ORDER BY h.tenant FOR UPDATE;
    END IF;
    UPDATE heads h SET size = m.new_size, edge = m.new_edge FROM unnest(p_moves) m
        WHERE h.tenant = m.tenant AND h.size = m.size AND h.standing = m.standing;
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    IF v_moved < cardinality(v_tenants) THEN
        RAISE EXCEPTION 'a head moved' USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO entries SELECT * FROM unnest(p_entries);
    IF cardinality(p_disclosures) > 0 THEN
        INSERT INTO disclosures SELECT * FROM unnest(p_disclosures);
    END IF;
    IF cardinality(p_outcomes) > 0 THEN
        INSERT INTO outcomes SELECT * FROM unnest(p_outcomes);
    END IF;
    IF cardinality(p_answers) > 0 THEN
        INSERT INTO answers SELECT * FROM unnest(p_answers) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(p_refusals) > 0 THEN
        INSERT INTO refusals SELECT * FROM unnest(p_refusals);
    END IF;
    IF cardinality(p_nodes) > 0 THEN
        INSERT INTO nodes SELECT * FROM unnest(p_nodes);
    END IF;
    IF cardinality(p_settlements) > 0 THEN
        INSERT INTO attempts (tenant, delivery, number, at, milliseconds, outcome, status, code, disclosure)
            SELECT s.tenant, s.delivery, s.number, s.at, s.milliseconds, s.outcome, s.status, s.code, s.disclosure
            FROM unnest(p_settlements) s;
        FOREACH v_settled IN ARRAY p_settlements LOOP
            UPDATE deliveries d SET state = v_settled.state, next_at = v_settled.next_at, attempts = v_settled.number,
                                    round = v_settled.round, code = v_settled.code, status = v_settled.status,
                                    changed_at = v_settled.at
                WHERE d.tenant = v_settled.tenant AND d.id = v_settled.delivery AND d.state = 'waiting';
        END LOOP;
    END IF;
END $$;

GRANT SELECT, INSERT, UPDATE ON endpoints, lanes, events, sequences, deliveries TO gateway_request;
GRANT SELECT, INSERT, UPDATE, DELETE ON endpoint_secrets, callback_secrets, callbacks, notices TO gateway_request;
GRANT DELETE ON events, deliveries TO gateway_request;
GRANT SELECT, INSERT, DELETE ON attempts TO gateway_request;
GRANT UPDATE (keep_days) ON tenants TO gateway_request;
