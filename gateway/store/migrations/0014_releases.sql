-- How records are released to a network: the patients' consents as the network told of them, and what was asked for and sent.

CREATE TABLE artefacts (
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,              -- of the consent that it is, among the clinic's
    connector   text NOT NULL,
    artefact    text NOT NULL,              -- the network's id
    state       text NOT NULL CHECK (state IN ('granted', 'revoked', 'expired', 'denied')),
    subject     uuid,                       -- the pseudonym; null of one that ended before it was told of
    purpose     text,
    hiu         text,                       -- who may have the records: the network's id, and the name
    hiu_name    text,
    erase_at    timestamptz,
    letter      bytea,                      -- sealed: the letter as it came; null once it ended
    terms       bytea,                      -- sealed: what the letter says, read; null once it ended
    digest      bytea,                      -- SHA-256 of the letter
    told_at     timestamptz NOT NULL,
    ended_at    timestamptz,
    ended_by    text CHECK (ended_by IN ('network', 'clinic', 'time')),
    PRIMARY KEY (tenant, id)
);
-- None but the primary key begins with the tenant, for the reason that deliveries have.
CREATE UNIQUE INDEX artefacts_artefact ON artefacts (artefact, connector, tenant);
CREATE INDEX artefacts_subject ON artefacts (subject) WHERE subject IS NOT NULL;
CREATE INDEX artefacts_ends ON artefacts (erase_at) WHERE state = 'granted';

CREATE TABLE transfers (                    -- one request for records
    tenant      uuid NOT NULL,
    id          uuid NOT NULL,
    connector   text NOT NULL,
    connection  uuid NOT NULL,
    transaction text NOT NULL,              -- the network's id of the exchange
    request     text NOT NULL,              -- the network's id of the letter that asked
    consent     text NOT NULL,              -- the network's id of the consent that was named
    artefact    uuid,                       -- the consent, where there is one of that id
    state       text NOT NULL CHECK (state IN ('asked', 'sending', 'reporting', 'reported', 'unreported')),
    reasons     jsonb NOT NULL,             -- why it was refused as a whole: [{code, what, fix}]
    host        text,                       -- where records are to go
    contexts    text[] NOT NULL,            -- the visits that the consent named, as the network knows them
    sealed      bytea,                      -- what was asked for; null once nothing more is sent
    asked_at    timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL,       -- nothing is sent after that
    due_at      timestamptz NOT NULL,       -- when it is to be worked on next; its job names that moment
    changed_at  timestamptz NOT NULL,
    answers     integer NOT NULL DEFAULT 0, -- how often it was answered and that was not taken
    in_doubt    boolean NOT NULL DEFAULT false, -- one of those answers may have been taken all the same
    pages       integer,                    -- how many documents there are to send; null until that is known
    done_at     timestamptz,                -- when sending ended
    reports     integer NOT NULL DEFAULT 0, -- how often it was reported and that was not taken
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX transfers_transaction ON transfers (transaction, connector, tenant);
CREATE INDEX transfers_artefact ON transfers (artefact, asked_at) WHERE artefact IS NOT NULL;
CREATE INDEX transfers_due ON transfers (due_at) WHERE state IN ('asked', 'sending', 'reporting');

CREATE TABLE transfer_entries (             -- one document of a transfer, on a page of its own
    tenant      uuid NOT NULL,
    transfer    uuid NOT NULL,
    number      integer NOT NULL,           -- the page, from 0
    document    uuid NOT NULL,
    context     text NOT NULL,              -- the visit, as the network knows it
    kind        text NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'sent', 'failed', 'refused', 'late')),
    attempts    integer NOT NULL DEFAULT 0, -- each a disclosure of its own
    doubts      integer NOT NULL DEFAULT 0, -- of them: those whose outcome is not known
    next_at     timestamptz NOT NULL,
    disclosure  uuid,                       -- the last attempt
    code        text,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, transfer, number)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['artefacts', 'transfers', 'transfer_entries'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['artefacts', 'transfers'] LOOP
        EXECUTE format('CREATE POLICY due_lookups ON %I FOR SELECT TO CURRENT_USER USING (true)', name);
    END LOOP;
END $$;

-- Questions that come before a tenant is known: transfers whose job was lost, consents whose time is over.
CREATE FUNCTION gateway_stranded_transfers(p_before timestamptz, p_most integer)
RETURNS TABLE (tenant uuid, id uuid, due_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant, t.id, t.due_at FROM transfers t
    WHERE t.state IN ('asked', 'sending', 'reporting') AND t.due_at < p_before ORDER BY t.due_at LIMIT p_most
$$;

CREATE FUNCTION gateway_ended_artefacts(p_now timestamptz, p_most integer) RETURNS TABLE (tenant uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant, a.id FROM artefacts a WHERE a.state = 'granted' AND a.erase_at <= p_now
    ORDER BY a.erase_at LIMIT p_most
$$;

GRANT SELECT, INSERT, DELETE ON artefacts, transfers, transfer_entries TO gateway_request;
GRANT UPDATE (state, letter, terms, ended_at, ended_by) ON artefacts TO gateway_request;
GRANT UPDATE (state, sealed, due_at, changed_at, answers, in_doubt, pages, done_at, reports) ON transfers TO gateway_request;
GRANT UPDATE (state, attempts, doubts, next_at, disclosure, code, changed_at) ON transfer_entries TO gateway_request;
-- A consent of the network's may be told to expire earlier than it said.
GRANT UPDATE (expires_at) ON consents TO gateway_request;
