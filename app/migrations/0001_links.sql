-- Links. A deleted link keeps its row, so that its code is never given away again.
CREATE TABLE links (
  domain        text COLLATE "C" NOT NULL DEFAULT '',   -- '' is the default domain
  code          text COLLATE "C" NOT NULL CHECK (octet_length(code) BETWEEN 1 AND 128),
  target        text NOT NULL CHECK (octet_length(target) BETWEEN 1 AND 8192),
  target_sha256 bytea NOT NULL CHECK (octet_length(target_sha256) = 32),
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  PRIMARY KEY (domain, code)
);

-- A link is found by where it leads through its hash: targets are too long for an index.
CREATE INDEX links_target ON links (domain, target_sha256);
