-- Messages to people: what a clinic sets for a connection, in which order it tries its vendors, and who said stop.

ALTER TABLE connections ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';  -- by the names in the connector's manifest; no secrets

CREATE TABLE vendor_orders (                -- in which order a clinic tries the vendors of a family
    tenant      uuid NOT NULL,
    family      text NOT NULL,
    connectors  text[] NOT NULL,
    version     integer NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, family)
);

CREATE TABLE contacts (                     -- whom a message to an address was about, so that a STOP from there finds them
    tenant      uuid NOT NULL,
    lookup      bytea NOT NULL,             -- keyed hash of the address
    subject     uuid NOT NULL,              -- the pseudonym
    PRIMARY KEY (tenant, lookup, subject)
);

CREATE TABLE stops (                        -- addresses from which a STOP came; consents given before it count no more
    tenant      uuid NOT NULL,
    lookup      bytea NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (tenant, lookup)
);

-- What a STOP took back a START may give again; what a person or a host took back it may not.
ALTER TABLE consents ADD COLUMN stopped boolean NOT NULL DEFAULT false;
GRANT UPDATE (stopped) ON consents TO gateway_request;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['vendor_orders', 'contacts', 'stops'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenants ON %I USING (tenant = ANY ((SELECT gateway_tenants())::uuid[])) '
                       'WITH CHECK (tenant = ANY ((SELECT gateway_tenants())::uuid[]))', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON vendor_orders TO gateway_request;
GRANT SELECT, INSERT, DELETE ON contacts TO gateway_request;
GRANT SELECT, INSERT, UPDATE, DELETE ON stops TO gateway_request;
