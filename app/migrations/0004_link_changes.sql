-- The feed: which links were changed or deleted, in the statement that did it, whoever did it (another release, a
-- person at a terminal). Instances drop their copies by it. Creations are not in it: nobody has a copy of those, and a
-- NOTIFY takes a lock of the whole cluster at its commit.
CREATE TABLE link_changes (
  -- Numbers are given out before commits, so a reader that goes by them misses what commits late. Those of transactions
  -- can be held against what was still under way when it last read.
  xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq        bigint GENERATED ALWAYS AS IDENTITY,
  domain     text COLLATE "C" NOT NULL,
  code       text COLLATE "C" NOT NULL,
  is_deleted boolean NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (xid, seq)
);
-- For the removal of what is old.
CREATE INDEX link_changes_at ON link_changes USING brin (at);

CREATE FUNCTION note_link_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO link_changes (domain, code, is_deleted)
  VALUES (OLD.domain, OLD.code, TG_OP = 'DELETE' OR NEW.deleted_at IS NOT NULL);
  PERFORM pg_notify('link_changes', '');
  RETURN NULL;
END $$;

-- Whoever changes what a visitor meets sets updated_at; counting visits does not.
CREATE TRIGGER links_changed AFTER UPDATE ON links FOR EACH ROW
  WHEN (OLD.updated_at IS DISTINCT FROM NEW.updated_at OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at
        OR OLD.target IS DISTINCT FROM NEW.target)
  EXECUTE FUNCTION note_link_change();
CREATE TRIGGER links_removed AFTER DELETE ON links FOR EACH ROW EXECUTE FUNCTION note_link_change();
