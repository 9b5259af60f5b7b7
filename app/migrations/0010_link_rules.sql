-- What following a link does, and what its owner says about it. Every column has a default or may be NULL, so that a
-- release which does not know them goes on.
ALTER TABLE links
  ADD COLUMN title           text CHECK (char_length(title) <= 512),
  ADD COLUMN tags            text[] NOT NULL DEFAULT '{}' CHECK (cardinality(tags) <= 50),
  ADD COLUMN valid_since     timestamptz,
  ADD COLUMN valid_until     timestamptz,
  ADD COLUMN max_visits      bigint CHECK (max_visits > 0),
  ADD COLUMN visits_used     bigint NOT NULL DEFAULT 0,     -- of max_visits; stays 0 where there is none
  ADD COLUMN enabled         boolean NOT NULL DEFAULT true,
  ADD COLUMN forward_query   boolean NOT NULL DEFAULT true,
  ADD COLUMN crawlable       boolean NOT NULL DEFAULT false,
  ADD COLUMN redirect_status smallint NOT NULL DEFAULT 302 CHECK (redirect_status IN (301, 302, 307, 308)),
  ADD COLUMN version         bigint NOT NULL DEFAULT 1,     -- the ETag; grows with each change
  ADD COLUMN owner           text COLLATE "C",              -- the API key that made it
  ADD CONSTRAINT links_valid_range CHECK (valid_since < valid_until);

-- Lists are read in these orders, a page at a time from where the last one ended.
CREATE INDEX links_by_age ON links (domain, created_at, code) WHERE deleted_at IS NULL;
CREATE INDEX links_by_owner ON links (owner, created_at, code) WHERE deleted_at IS NULL AND owner IS NOT NULL;
CREATE INDEX links_by_tag ON links USING gin (tags) WHERE deleted_at IS NULL AND tags <> '{}';

-- Creates many links; for each the first of its codes that is free is taken, null where none is. One call is one
-- statement, so a key that was used before (scope, key; '' for none) creates nothing twice: the first answer is given
-- once more. `wanted` is an array of {"codes": [...], "link": {...}}, the latter with columns as members. Codes are
-- taken in their order, so that two such calls cannot lock each other out.
CREATE FUNCTION create_links_v1(wanted jsonb, created timestamptz, scope_ text, key_ text, fingerprint_ bytea)
RETURNS TABLE (fresh boolean, matches boolean, body text) LANGUAGE plpgsql AS $$
DECLARE
  item  record;
  code_ text;
  taken text[] := array_fill(NULL::text, ARRAY[jsonb_array_length(wanted)]);
  known record;
BEGIN
  IF key_ <> '' THEN
    INSERT INTO idempotency AS i (scope, key, fingerprint, status, body)
    VALUES (scope_, key_, fingerprint_, 200, '')
    ON CONFLICT ON CONSTRAINT idempotency_pkey DO UPDATE SET replays = i.replays + 1
    RETURNING i.fingerprint = fingerprint_ AS same, i.body AS said, (xmax = 0) AS is_new INTO known;
    IF NOT known.is_new THEN
      RETURN QUERY SELECT false, known.same, known.said;
      RETURN;
    END IF;
  END IF;
  FOR item IN
    SELECT each.value -> 'codes' AS codes, each.value -> 'link' AS link, each.at
    FROM jsonb_array_elements(wanted) WITH ORDINALITY AS each (value, at)
    ORDER BY (each.value -> 'codes' ->> 0) COLLATE "C"
  LOOP
    FOR code_ IN SELECT * FROM jsonb_array_elements_text(item.codes) LOOP
      INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at, title, tags, valid_since,
                         valid_until, max_visits, enabled, forward_query, crawlable, redirect_status, owner)
      SELECT '', code_, x.target, sha256(convert_to(x.target, 'UTF8')), created, created, x.title, x.tags,
             x.valid_since, x.valid_until, x.max_visits, x.enabled, x.forward_query, x.crawlable, x.redirect_status,
             x.owner
      FROM jsonb_to_record(item.link) AS x (target text, title text, tags text[], valid_since timestamptz,
             valid_until timestamptz, max_visits bigint, enabled boolean, forward_query boolean, crawlable boolean,
             redirect_status smallint, owner text)
      ON CONFLICT DO NOTHING;
      IF FOUND THEN
        taken[item.at] := code_;
        EXIT;
      END IF;
    END LOOP;
  END LOOP;
  body := jsonb_build_object('createdAt', to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                             'codes', to_jsonb(taken))::text;
  IF key_ <> '' THEN
    UPDATE idempotency AS i SET body = create_links_v1.body WHERE i.scope = scope_ AND i.key = key_;
  END IF;
  RETURN QUERY SELECT true, true, create_links_v1.body;
END $$;
