-- Beside the categories of a document: which of its parts each comes from, as `type category`. Empty for what was kept before.

ALTER TABLE records ADD COLUMN contents text[] NOT NULL DEFAULT '{}';
