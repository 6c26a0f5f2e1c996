-- What an auditor's pages need beside the counts: views that a person named, what was first, what came when, what came together.

CREATE TABLE views (                        -- a person's own named filters of the log
    tenant      uuid NOT NULL,
    person      uuid NOT NULL,
    id          uuid NOT NULL,
    title       text NOT NULL,
    query       text NOT NULL,              -- as it stands in an address: pseudonyms only
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, person, id),
    UNIQUE (tenant, person, title),
    FOREIGN KEY (tenant, person) REFERENCES memberships (tenant, person) ON DELETE CASCADE
);

CREATE TABLE debuts (                       -- the first disclosure to a recipient at a host, and of a kind of data
    tenant      uuid NOT NULL,
    party       bigint NOT NULL,
    what        text NOT NULL CHECK (what IN ('host', 'category')),
    name        text NOT NULL,
    at          timestamptz NOT NULL,
    id          uuid NOT NULL,
    PRIMARY KEY (tenant, party, what, name)
);

CREATE TABLE tallies_slots (                -- disclosures by half hour: no clinic's night begins within one, but in Nepal
    tenant      uuid NOT NULL,
    slot        timestamptz NOT NULL,
    party       bigint NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (tenant, slot, party)
) WITH (fillfactor = 80);

CREATE TABLE called (                       -- the disclosures and refusals that one call came to
    tenant      uuid NOT NULL,
    call        text NOT NULL,
    index       bigint NOT NULL,
    id          uuid NOT NULL,
    refused     boolean NOT NULL,
    PRIMARY KEY (tenant, call, index)
);

-- Which agreement held is read from the log itself: the table of agreements has only the present ones.
CREATE INDEX entries_agreements ON entries (tenant, index) WHERE kind = 'agreement';

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['views', 'debuts', 'tallies_slots', 'called'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
END $$;

-- Everything that is counted comes from the entries: what was counted without the new tables is counted once more.
TRUNCATE tallied, parties, tallies_sent, tallies_days, tallies_categories, tallies_fields, tallies_refused, facets, sightings;

-- Count the next entries of a tenant's log, at most so many; says how far it is counted, and how long the log is.
-- Nobody but this function writes counts, and it only adds what the entries say: the request role cannot forge one.
-- The row of `tallied` is locked throughout, so two gateways count one after the other, and counts and cursor are one commit.
--
-- What was known of the tables when a session first ran this may be that they are empty: so entries and outcomes are looked up
-- one by one by their keys (LATERAL with a limit), and what is in memory is hashed and never compared each with each.
CREATE OR REPLACE FUNCTION gateway_tally(p_tenant uuid, p_most integer) RETURNS TABLE (next bigint, size bigint)
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
               coalesce(t.body ->> 'action', '') AS action, t.body ->> 'purpose' AS purpose, t.body -> 'fields' AS fields,
               coalesce(t.body -> 'endpoint' ->> 'host', '') AS host
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
    ), slots AS (
        INSERT INTO tallies_slots AS c (tenant, slot, party, count)
        SELECT p_tenant, date_bin('30 minutes', t.at, 'epoch'), t.party, count(*)
        FROM told t WHERE t.before IS NULL GROUP BY 2, 3
        ON CONFLICT (tenant, slot, party) DO UPDATE SET count = c.count + excluded.count
    ), debuted AS (
        INSERT INTO debuts (tenant, party, what, name, at, id)
        SELECT DISTINCT ON (n.party, n.what, n.name) p_tenant, n.party, n.what, n.name, n.at, n.id FROM (
            SELECT t.party, 'host' AS what, t.host AS name, t.at, t.id, t.index FROM told t
            WHERE t.before IS NULL AND t.host <> ''
            UNION ALL
            SELECT t.party, 'category', f ->> 1, t.at, t.id, t.index
            FROM told t CROSS JOIN LATERAL jsonb_array_elements(t.fields) f WHERE t.before IS NULL
        ) n ORDER BY n.party, n.what, n.name, n.index ON CONFLICT DO NOTHING
    ), together AS (
        INSERT INTO called (tenant, call, index, id, refused)
        SELECT p_tenant, b.body ->> 'call', b.index, (b.body ->> 'disclosure')::uuid, b.kind = 'refusal'
        FROM batch b WHERE b.kind IN ('intent', 'refusal') AND b.body ->> 'call' IS NOT NULL ON CONFLICT DO NOTHING
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

GRANT SELECT, INSERT, UPDATE (query), DELETE ON views TO gateway_request;
GRANT SELECT ON debuts, tallies_slots, called TO gateway_request, gateway_auditor;
