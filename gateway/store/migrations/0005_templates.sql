-- The clinic's own texts for messages. A change is a new row, so that what an old version said can still be read.

CREATE TABLE templates (
    tenant      uuid NOT NULL,
    name        text NOT NULL,
    version     integer NOT NULL,           -- of the name, whatever the channel and the language; never used again
    id          uuid NOT NULL,
    action      text NOT NULL,              -- of a family: messaging/send_reminder
    channel     text NOT NULL,
    language    text NOT NULL,              -- BCP 47
    body        text NOT NULL,
    dlt         jsonb,                      -- India: the registered text and what it is known by
    whatsapp    jsonb,                      -- the template as the vendor keeps it, and what fills its placeholders
    state       text NOT NULL CHECK (state IN ('present', 'replaced', 'removed')),
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, name, version)
);
CREATE UNIQUE INDEX templates_present ON templates (tenant, name, channel, language) WHERE state = 'present';
-- Not beginning with the tenant, for the reason that deliveries have.
CREATE INDEX templates_listed ON templates (id) WHERE state = 'present';

ALTER TABLE templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE templates FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenants ON templates USING (tenant = ANY ((SELECT gateway_tenants())::uuid[]))
    WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]));
-- A text is never changed, only followed by another or taken out.
GRANT SELECT, INSERT, UPDATE (state) ON templates TO gateway_request;
