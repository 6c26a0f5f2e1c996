-- What the ledger comes to: counts by UTC day, and where each disclosure and refusal is found by what it is. All of it is read
-- from the entries, after the fact and in their order; nothing here is written on the way of a call. No subject, no value.

CREATE TABLE tallied (                      -- how far a tenant's log is counted
    tenant      uuid PRIMARY KEY,
    next        bigint NOT NULL             -- the first entry that is not counted yet
) WITH (fillfactor = 50);

CREATE TABLE parties (                      -- every recipient that anything was ever about to go to, as its entries name it
    tenant      uuid NOT NULL,
    party       bigint NOT NULL,            -- hash of the rest: counts are added up by it, which takes a third of the time
    connector   text NOT NULL,
    recipient_id text NOT NULL,             -- the connector's id, or the endpoint's of a webhook
    recipient   text NOT NULL,
    country     text NOT NULL,
    PRIMARY KEY (tenant, party)
);

-- A disclosure counts on the day of its intent, under its latest outcome; open while it has none.
CREATE TABLE tallies_sent (
    tenant      uuid NOT NULL,
    day         date NOT NULL,
    party       bigint NOT NULL,
    action      text NOT NULL,              -- of a webhook: the type of event
    purpose     text NOT NULL,
    outcome     text NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (tenant, day, party, action, purpose, outcome)
) WITH (fillfactor = 80);

-- The same without what was done and what for: a chart of a year reads these, which are a third as many.
CREATE TABLE tallies_days (
    tenant      uuid NOT NULL,
    day         date NOT NULL,
    party       bigint NOT NULL,
    outcome     text NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (tenant, day, party, outcome)
) WITH (fillfactor = 80);

-- A disclosure counts once under each kind of data that it holds. Of the count so many failed: they did not arrive, or the
-- answer was refused.
CREATE TABLE tallies_categories (
    tenant      uuid NOT NULL,
    day         date NOT NULL,
    party       bigint NOT NULL,
    category    text NOT NULL,
    count       bigint NOT NULL,
    failed      bigint NOT NULL,
    PRIMARY KEY (tenant, day, party, category)
) WITH (fillfactor = 80);

CREATE TABLE tallies_fields (
    tenant      uuid NOT NULL,
    party       bigint NOT NULL,
    day         date NOT NULL,
    action      text NOT NULL,
    path        text NOT NULL,
    category    text NOT NULL,
    reduction   text NOT NULL,              -- empty where the entry names none
    count       bigint NOT NULL,
    failed      bigint NOT NULL,
    PRIMARY KEY (tenant, party, day, action, path, category, reduction)
) WITH (fillfactor = 80);

CREATE TABLE tallies_refused (
    tenant      uuid NOT NULL,
    day         date NOT NULL,
    connector   text NOT NULL,
    action      text NOT NULL,
    reason      text NOT NULL,              -- a refusal with two reasons counts under each of them
    count       bigint NOT NULL,
    PRIMARY KEY (tenant, day, connector, action, reason)
) WITH (fillfactor = 80);

-- Search. Everything that can be asked for, but for a subject and a period, comes in few combinations: a facet is one that
-- occurred. A search picks its facets among those few, and reads the newest of each.
CREATE TABLE facets (
    tenant      uuid NOT NULL,
    facet       bigint NOT NULL,            -- hash of the rest
    connector   text NOT NULL,
    recipient   text NOT NULL,              -- empty of a refusal
    purpose     text NOT NULL,
    categories  text[] NOT NULL,
    outcome     text NOT NULL,              -- the latest; open, or refused
    reasons     text[] NOT NULL,            -- of a refusal
    PRIMARY KEY (tenant, facet)
);

CREATE TABLE sightings (                    -- where each disclosure and refusal is found
    tenant      uuid NOT NULL,
    index       bigint NOT NULL,            -- of its intent or refusal
    id          uuid NOT NULL,
    at          timestamptz NOT NULL,
    facet       bigint NOT NULL,
    PRIMARY KEY (tenant, index)
) WITH (fillfactor = 90);
CREATE INDEX sightings_facet ON sightings (tenant, facet, at, id);

CREATE INDEX refusals_subject ON refusals (tenant, subject, id) WHERE subject IS NOT NULL;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tallied', 'parties', 'tallies_sent', 'tallies_days', 'tallies_categories',
                                'tallies_fields', 'tallies_refused', 'facets', 'sightings'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['tallied', 'heads'] LOOP
        EXECUTE format('CREATE POLICY tally_lookups ON %I FOR SELECT TO CURRENT_USER USING (true)', name);
    END LOOP;
END $$;

-- Which tenants' logs have entries that are not counted yet.
CREATE FUNCTION gateway_untallied() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT h.tenant FROM heads h LEFT JOIN tallied t ON t.tenant = h.tenant WHERE h.size > coalesce(t.next, 0) ORDER BY h.tenant
$$;

-- An entry's fields. JSON may say U+0000 in a text and PostgreSQL holds none, so there it becomes U+FFFD: nothing that a person
-- wrote into an entry may keep a log from being counted.
CREATE FUNCTION gateway_fields_of(p_body bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN strpos(t, '\u0000') = 0 THEN t::jsonb
                ELSE regexp_replace(t, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::jsonb END
    FROM convert_from(p_body, 'UTF8') t
$$;

-- Count the next entries of a tenant's log, at most so many; says how far it is counted, and how long the log is.
-- Nobody but this function writes counts, and it only adds what the entries say: the request role cannot forge one.
-- The row of `tallied` is locked throughout, so two gateways count one after the other, and counts and cursor are one commit.
--
-- What was known of the tables when a session first ran this may be that they are empty: so entries and outcomes are looked up
-- one by one by their keys (LATERAL with a limit), and what is in memory is hashed and never compared each with each.
CREATE FUNCTION gateway_tally(p_tenant uuid, p_most integer) RETURNS TABLE (next bigint, size bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_nestloop = off SET work_mem = '32MB' SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_from bigint;
    v_size bigint;
    v_until bigint;
BEGIN
    IF p_tenant <> ALL (coalesce(gateway_tenants(), '{}')) THEN
        RAISE EXCEPTION 'not a tenant of this transaction' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO tallied (tenant, next) VALUES (p_tenant, 0) ON CONFLICT DO NOTHING;
    SELECT t.next INTO v_from FROM tallied t WHERE t.tenant = p_tenant FOR UPDATE;
    SELECT h.size INTO v_size FROM heads h WHERE h.tenant = p_tenant;
    v_until := least(v_size, v_from + p_most);
    IF v_until IS NULL OR v_until <= v_from THEN
        RETURN QUERY SELECT v_from, coalesce(v_size, 0);
        RETURN;
    END IF;
    WITH batch AS MATERIALIZED (
        SELECT e.index, e.kind, e.at, gateway_fields_of(e.body) AS body FROM entries e
        WHERE e.tenant = p_tenant AND e.index >= v_from AND e.index < v_until
            AND e.kind IN ('intent', 'outcome', 'refusal', 'manual')
    ), settled AS MATERIALIZED (            -- the latest outcome in this batch of each disclosure that has one in it
        SELECT DISTINCT ON (intent) (b.body ->> 'intent')::bigint AS intent, (b.body ->> 'disclosure')::uuid AS id,
               b.body ->> 'outcome' AS outcome
        FROM batch b WHERE b.kind = 'outcome' ORDER BY intent, b.index DESC
    ), touched AS (                         -- each disclosure that counts otherwise now: as what before, as what after
        SELECT b.index, b.at, b.body, NULL::text AS before, coalesce(s.outcome, 'open') AS after
        FROM batch b LEFT JOIN settled s ON s.intent = b.index WHERE b.kind = 'intent'
        UNION ALL
        SELECT b.index, b.at, b.body, NULL, 'accepted' FROM batch b WHERE b.kind = 'manual'
        UNION ALL
        SELECT i.index, i.at, gateway_fields_of(i.body), coalesce(o.outcome, 'open'), s.outcome
        FROM settled s CROSS JOIN LATERAL (
            SELECT e.index, e.at, e.body FROM entries e WHERE e.tenant = p_tenant AND e.index = s.intent LIMIT 1
        ) i LEFT JOIN LATERAL (
            SELECT p.outcome FROM outcomes p WHERE p.tenant = p_tenant AND p.disclosure = s.id AND p.index < v_from
            ORDER BY p.index DESC LIMIT 1
        ) o ON true
        WHERE s.intent < v_from AND s.outcome <> coalesce(o.outcome, 'open')
    ), named AS (
        SELECT t.index, t.at, t.before, t.after, (t.body ->> 'disclosure')::uuid AS id, c.connector,
               -- The gateway's own deliveries to endpoints; an endpoint's id is never a connector's.
               CASE c.connector WHEN 'webhook' THEN coalesce(t.body ->> 'connection', '') ELSE c.connector END AS recipient_id,
               coalesce(t.body -> 'recipient' ->> 'name', '') AS recipient,
               coalesce(t.body -> 'recipient' ->> 'country', '') AS country,
               coalesce(t.body ->> 'action', '') AS action, t.body ->> 'purpose' AS purpose, t.body -> 'fields' AS fields
        FROM touched t CROSS JOIN LATERAL (SELECT coalesce(t.body ->> 'connector', 'outside') AS connector) c
    ), told AS MATERIALIZED (
        SELECT n.*, hashtextextended(
            jsonb_build_array(n.connector, n.recipient_id, n.recipient, n.country)::text, 0) AS party
        FROM named n
    ), moved AS MATERIALIZED (
        SELECT (t.at AT TIME ZONE 'UTC')::date AS day, t.party, t.action, t.purpose, t.fields, m.outcome,
               sum(m.moved)::bigint AS moved
        FROM told t CROSS JOIN LATERAL (VALUES (t.before, -1), (t.after, 1)) m (outcome, moved)
        WHERE m.outcome IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6
    ), received AS (
        INSERT INTO parties (tenant, party, connector, recipient_id, recipient, country)
        SELECT DISTINCT ON (t.party) p_tenant, t.party, t.connector, t.recipient_id, t.recipient, t.country
        FROM told t ORDER BY t.party ON CONFLICT DO NOTHING
    ), sent AS (
        INSERT INTO tallies_sent AS c (tenant, day, party, action, purpose, outcome, count)
        SELECT p_tenant, m.day, m.party, m.action, m.purpose, m.outcome, sum(m.moved) FROM moved m GROUP BY 2, 3, 4, 5, 6
        ON CONFLICT (tenant, day, party, action, purpose, outcome) DO UPDATE SET count = c.count + excluded.count
    ), days AS (
        INSERT INTO tallies_days AS c (tenant, day, party, outcome, count)
        SELECT p_tenant, m.day, m.party, m.outcome, sum(m.moved) FROM moved m GROUP BY 2, 3, 4
        ON CONFLICT (tenant, day, party, outcome) DO UPDATE SET count = c.count + excluded.count
    ), categories AS (
        INSERT INTO tallies_categories AS c (tenant, day, party, category, count, failed)
        SELECT p_tenant, m.day, m.party, f.category, sum(m.moved),
               coalesce(sum(m.moved) FILTER (WHERE m.outcome = 'failed'), 0)
        FROM moved m CROSS JOIN LATERAL (SELECT DISTINCT e ->> 1 AS category FROM jsonb_array_elements(m.fields) e) f
        GROUP BY 2, 3, 4
        ON CONFLICT (tenant, day, party, category) DO UPDATE
            SET count = c.count + excluded.count, failed = c.failed + excluded.failed
    ), fields AS (
        INSERT INTO tallies_fields AS c (tenant, party, day, action, path, category, reduction, count, failed)
        SELECT p_tenant, m.party, m.day, m.action, f ->> 0, f ->> 1, coalesce(f ->> 2, ''), sum(m.moved),
               coalesce(sum(m.moved) FILTER (WHERE m.outcome = 'failed'), 0)
        FROM moved m CROSS JOIN LATERAL jsonb_array_elements(m.fields) f GROUP BY 2, 3, 4, 5, 6, 7
        ON CONFLICT (tenant, party, day, action, path, category, reduction) DO UPDATE
            SET count = c.count + excluded.count, failed = c.failed + excluded.failed
    ), denied AS MATERIALIZED (
        SELECT b.index, b.at, (b.body ->> 'disclosure')::uuid AS id, b.body ->> 'connector' AS connector,
               b.body ->> 'action' AS action, b.body ->> 'purpose' AS purpose,
               ARRAY(SELECT DISTINCT r ->> 0 FROM jsonb_array_elements(b.body -> 'reasons') r ORDER BY 1) AS reasons
        FROM batch b WHERE b.kind = 'refusal'
    ), refused AS (
        INSERT INTO tallies_refused AS c (tenant, day, connector, action, reason, count)
        SELECT p_tenant, (d.at AT TIME ZONE 'UTC')::date, d.connector, d.action, r.reason, count(*)
        FROM denied d CROSS JOIN LATERAL unnest(d.reasons) r (reason) GROUP BY 2, 3, 4, 5
        ON CONFLICT (tenant, day, connector, action, reason) DO UPDATE SET count = c.count + excluded.count
    ), seen AS MATERIALIZED (
        SELECT t.index, t.id, t.at, t.connector, t.recipient, t.purpose,
               ARRAY(SELECT DISTINCT e ->> 1 FROM jsonb_array_elements(t.fields) e ORDER BY 1) AS categories,
               t.after AS outcome, '{}'::text[] AS reasons
        FROM told t
        UNION ALL
        SELECT d.index, d.id, d.at, d.connector, '', d.purpose, '{}', 'refused', d.reasons FROM denied d
    ), placed AS MATERIALIZED (
        SELECT s.*, hashtextextended(
            jsonb_build_array(s.connector, s.recipient, s.purpose, s.categories, s.outcome, s.reasons)::text, 0) AS facet
        FROM seen s
    ), faceted AS (
        INSERT INTO facets (tenant, facet, connector, recipient, purpose, categories, outcome, reasons)
        SELECT DISTINCT ON (p.facet) p_tenant, p.facet, p.connector, p.recipient, p.purpose, p.categories, p.outcome, p.reasons
        FROM placed p ORDER BY p.facet ON CONFLICT DO NOTHING
    )
    INSERT INTO sightings AS c (tenant, index, id, at, facet)
    SELECT p_tenant, p.index, p.id, p.at, p.facet FROM placed p ORDER BY p.index
    ON CONFLICT (tenant, index) DO UPDATE SET facet = excluded.facet;
    UPDATE tallied t SET next = v_until WHERE t.tenant = p_tenant;
    RETURN QUERY SELECT v_until, v_size;
END $$;

-- The newest of these facets in a period, beyond the last of the page before. Only the index gives each facet's in order, so
-- that no plan reads more of one than a page; and only the facets with the newest heads can have a place on the page.
CREATE FUNCTION gateway_sighted(
    p_tenant uuid, p_facets bigint[], p_since timestamptz, p_until timestamptz, p_before timestamptz, p_before_id uuid,
    p_most integer
) RETURNS TABLE (id uuid, at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT s.id, s.at FROM (
        SELECT f.facet FROM unnest(p_facets) f (facet) CROSS JOIN LATERAL (
            SELECT s.at, s.id FROM sightings s
            WHERE s.tenant = p_tenant AND s.facet = f.facet AND s.at >= p_since AND s.at < p_until
                AND (s.at, s.id) < (p_before, p_before_id)
            ORDER BY s.at DESC, s.id DESC LIMIT 1
        ) h ORDER BY h.at DESC, h.id DESC LIMIT p_most
    ) f CROSS JOIN LATERAL (
        SELECT s.at, s.id FROM sightings s
        WHERE s.tenant = p_tenant AND s.facet = f.facet AND s.at >= p_since AND s.at < p_until
            AND (s.at, s.id) < (p_before, p_before_id)
        ORDER BY s.at DESC, s.id DESC LIMIT p_most
    ) s ORDER BY s.at DESC, s.id DESC LIMIT p_most;
END $$;

REVOKE EXECUTE ON FUNCTION gateway_tally(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gateway_tally(uuid, integer) TO gateway_request;
GRANT SELECT ON tallied, parties, tallies_sent, tallies_days, tallies_categories, tallies_fields, tallies_refused, facets,
    sightings TO gateway_request, gateway_auditor;
