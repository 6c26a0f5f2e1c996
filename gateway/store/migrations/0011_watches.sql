-- People who connect on our own pages and come back to them; what vendors watch for us; keys for what they encrypt to us.

ALTER TABLE oauth_attempts ADD COLUMN back boolean NOT NULL DEFAULT false;
