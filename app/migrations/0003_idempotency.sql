-- What was answered to a create request that bore an Idempotency-Key; written by the statement that makes the link.
CREATE TABLE idempotency (
  scope       text COLLATE "C" NOT NULL,     -- whose key it is
  key         text COLLATE "C" NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 255),
  fingerprint bytea NOT NULL,                -- SHA-256 of what was asked
  status      smallint NOT NULL,
  body        text NOT NULL,
  replays     integer NOT NULL DEFAULT 0,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (scope, key)
);

-- For the removal of what is older than a day, in batches.
CREATE INDEX idempotency_created ON idempotency USING brin (created_at);
