-- Limits on reaching people: quiet hours, frequency caps, messages that wait for them; agreements that end soon.

ALTER TABLE consents ADD COLUMN time_zone text;     -- where the person lives; null where that was not said

ALTER TABLE policies
    ADD COLUMN time_zone   text NOT NULL DEFAULT 'UTC',
    ADD COLUMN quiet_hours jsonb,                   -- {from, until, otherwise}
    ADD COLUMN caps        jsonb NOT NULL DEFAULT '[]';     -- [{channel, most, hours, otherwise}]

ALTER TABLE agreements ADD COLUMN told_at timestamptz;  -- when the clinic was told that it ends soon

-- Every message to a person, numbered for each channel. The number is given under the lock of the tenant's head, in the
-- transaction of the message's intent: so two that were decided at the same time never take the last free place both.
CREATE TABLE reaches (
    tenant      uuid NOT NULL,
    subject     uuid NOT NULL,
    channel     text NOT NULL,
    number      bigint NOT NULL,
    disclosure  uuid NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (tenant, subject, channel, number)
);

CREATE TYPE gateway_reach AS (
    tenant uuid, subject uuid, channel text, disclosure uuid, at timestamptz, at_most bigint    -- null: any number will do
);

-- Append a batch in which persons are reached. Nothing is written (23505) where one of them has no place left.
CREATE FUNCTION gateway_append_reaching(
    p_moves gateway_head_move[], p_entries entries[], p_disclosures disclosures[], p_outcomes outcomes[],
    p_answers answers[], p_refusals refusals[], p_nodes nodes[], p_settlements gateway_settlement[],
    p_reaches gateway_reach[]
) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_reach gateway_reach;
    v_number bigint;
BEGIN
    PERFORM gateway_append(
        p_moves, p_entries, p_disclosures, p_outcomes, p_answers, p_refusals, p_nodes, p_settlements
    );
    FOREACH v_reach IN ARRAY p_reaches LOOP
        v_number := 1 + coalesce((
            SELECT r.number FROM reaches r
            WHERE r.tenant = v_reach.tenant AND r.subject = v_reach.subject AND r.channel = v_reach.channel
            ORDER BY r.number DESC LIMIT 1
        ), 0);
        IF v_number > v_reach.at_most THEN
            RAISE EXCEPTION 'no place is left' USING ERRCODE = 'unique_violation';
        END IF;
        INSERT INTO reaches (tenant, subject, channel, number, disclosure, at)
            VALUES (v_reach.tenant, v_reach.subject, v_reach.channel, v_number, v_reach.disclosure, v_reach.at);
    END LOOP;
END $$;

-- Messages that wait until they may go. What they say is sealed, and gone when they wait no more.
CREATE TABLE waiting_calls (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'carried', 'refused', 'failed', 'cancelled')),
    due_at      timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    connector   text NOT NULL,
    action      text NOT NULL,
    purpose     text NOT NULL,
    subject     uuid,                       -- the pseudonym
    reasons     jsonb NOT NULL,             -- why it waits, or why it was refused: [{code, what, fix}]
    withheld    text[] NOT NULL,            -- paths that were handed over and are not kept
    idempotency bytea,                      -- hash of its Idempotency-Key; null when it may be used anew
    fingerprint bytea NOT NULL,
    sealed      bytea,
    disclosure  uuid,                       -- of one that was carried
    code        text,                       -- of one that failed
    PRIMARY KEY (tenant, id)
);
-- None but the primary key begins with the tenant, for the reason that deliveries have.
CREATE UNIQUE INDEX waiting_calls_idempotency ON waiting_calls (idempotency, tenant) WHERE idempotency IS NOT NULL;
CREATE INDEX waiting_calls_due ON waiting_calls (due_at) WHERE state = 'waiting';
CREATE INDEX waiting_calls_subject ON waiting_calls (subject) WHERE subject IS NOT NULL;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['reaches', 'waiting_calls'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
END $$;
CREATE POLICY due_lookups ON waiting_calls FOR SELECT TO CURRENT_USER USING (true);

-- Messages that were due and whose job was lost: a question that comes before a tenant is known.
CREATE FUNCTION gateway_stranded_calls(p_before timestamptz, p_most integer)
RETURNS TABLE (tenant uuid, id uuid, due_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT w.tenant, w.id, w.due_at FROM waiting_calls w WHERE w.state = 'waiting' AND w.due_at < p_before
    ORDER BY w.due_at LIMIT p_most
$$;

GRANT SELECT, INSERT, DELETE ON reaches TO gateway_request;
GRANT SELECT, INSERT, DELETE ON waiting_calls TO gateway_request;
GRANT UPDATE (state, due_at, changed_at, reasons, idempotency, sealed, disclosure, code) ON waiting_calls TO gateway_request;
