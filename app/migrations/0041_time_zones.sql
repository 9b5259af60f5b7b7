-- The time zones that statistics may be asked for: a name is looked up here before anything is computed with it, because
-- PostgreSQL takes far more for a zone than there are (`UTC+2` is two hours west of Greenwich to it), and an error would
-- end what else stands in the same pipeline. `shortener maintain` adds what a newer tz database knows.
CREATE TABLE time_zones (
  name text COLLATE "C" PRIMARY KEY
);
CREATE FUNCTION add_time_zones_v1() RETURNS bigint LANGUAGE sql AS $$
  WITH added AS (
    INSERT INTO time_zones (name) SELECT name FROM pg_timezone_names
    WHERE name !~ '^(posix|right)/' AND name NOT IN ('posixrules', 'localtime', 'Factory')
    ON CONFLICT DO NOTHING RETURNING 1)
  SELECT count(*) FROM added
$$;
SELECT add_time_zones_v1();
