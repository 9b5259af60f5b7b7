-- Keys of the API, as hashes: whoever reads this table can use none of them.
CREATE TABLE api_keys (
  id         text COLLATE "C" PRIMARY KEY,          -- a part of the key that may be shown
  name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
  sha256     bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
  scopes     text[] NOT NULL CHECK (scopes <> '{}' AND scopes <@ '{read,write,admin}'),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- Instances keep all keys that are valid, and ask for this number alone, several times a second: while it is the same,
-- nothing has changed. Its row is locked until the commit of whoever changes a key, so the number grows in the order of
-- the commits.
CREATE TABLE api_keys_version (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  version  bigint NOT NULL
);
INSERT INTO api_keys_version (version) VALUES (1);

CREATE FUNCTION note_api_key_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE api_keys_version SET version = version + 1;
  RETURN NULL;
END $$;
CREATE TRIGGER api_keys_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION note_api_key_change();
