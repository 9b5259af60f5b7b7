-- Clicks, and what is counted of them. Everything here is written by ingest_clicks_v1(), in one transaction: rows that
-- are new by their id, sums of exactly those rows, and how far each instance's journal is stored. So a click that comes
-- twice, by whatever way, counts once.

-- One row a click. By month, so that what is old goes with its table; the month stands in the key, because two
-- instances that were asked for the same request have the same id for it and not the same time.
CREATE TABLE clicks (
  click_id uuid NOT NULL,
  month    date NOT NULL,                              -- the first day of it, UTC
  at       timestamptz NOT NULL,
  domain   text COLLATE "C" NOT NULL DEFAULT '',
  code     text COLLATE "C" NOT NULL,
  referrer text COLLATE "C" NOT NULL DEFAULT '',       -- a host; '': none, or not told
  device   smallint NOT NULL DEFAULT 0,                -- see click_device_v1()
  is_bot   boolean NOT NULL DEFAULT false,
  visitor  integer NOT NULL DEFAULT 0,                 -- a mark of click_visitors; 0: none
  country  text COLLATE "C" NOT NULL DEFAULT '',
  address  cidr,                                       -- shortened to /24 or /48
  PRIMARY KEY (click_id, month)
) PARTITION BY RANGE (month);

-- What no month's table takes: the clock of an instance was wrong, or nobody made the table.
CREATE TABLE clicks_other PARTITION OF clicks DEFAULT;

-- Makes the tables of this month and of `ahead` more, where they are missing; how many it made.
CREATE FUNCTION make_click_partitions_v1(ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  from_ date;
  name_ text;
  made  integer := 0;
BEGIN
  FOR i IN 0 .. ahead LOOP
    from_ := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i))::date;
    name_ := to_char(from_, '"clicks_"YYYY_MM');
    CONTINUE WHEN to_regclass(name_) IS NOT NULL;
    PERFORM pg_advisory_xact_lock(7525363713131737973);
    CONTINUE WHEN to_regclass(name_) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE clicks INCLUDING DEFAULTS INCLUDING INDEXES)', name_);
    EXECUTE format('WITH moved AS (DELETE FROM clicks_other WHERE month = %L RETURNING *) INSERT INTO %I '
                   'SELECT * FROM moved', from_, name_);
    EXECUTE format('ALTER TABLE clicks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name_, from_,
                   (from_ + interval '1 month')::date);
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;
SELECT make_click_partitions_v1(2);

-- Clicks of a quarter of an hour: the smallest piece by which the time zones of the world differ.
CREATE TABLE click_quarters (
  domain  text COLLATE "C" NOT NULL DEFAULT '',
  code    text COLLATE "C" NOT NULL,
  quarter timestamptz NOT NULL,                        -- its begin
  n       bigint NOT NULL,                             -- all, bots too
  bots    bigint NOT NULL,
  PRIMARY KEY (domain, code, quarter)
);

-- Clicks of a day (UTC) by where they came from and by what. Of referrers at most 500 a link and day have a name, the
-- rest is '(other)': whoever invents referrers cannot fill this table.
CREATE TABLE click_daily (
  domain text COLLATE "C" NOT NULL DEFAULT '',
  code   text COLLATE "C" NOT NULL,
  day    date NOT NULL,
  dim    text COLLATE "C" NOT NULL,                    -- referrer or device
  val    text COLLATE "C" NOT NULL,
  n      bigint NOT NULL,
  bots   bigint NOT NULL,
  PRIMARY KEY (domain, code, day, dim, val)
);

-- How many different visitors a day (UTC) had, as a sketch (HyperLogLog of 1024 registers): a mark is register * 64 +
-- rank, there is one of each register that was set. It tells a crowd's size, and nobody's name.
CREATE TABLE click_visitors (
  domain text COLLATE "C" NOT NULL DEFAULT '',
  code   text COLLATE "C" NOT NULL,
  day    date NOT NULL,
  sketch integer[] NOT NULL,
  PRIMARY KEY (domain, code, day)
);

CREATE FUNCTION merge_visitors_v1(a integer[], b integer[]) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT array_agg(mark) FROM (SELECT max(m) AS mark FROM unnest(a || b) AS m GROUP BY m >> 6) AS marks $$;

-- Within some 3 %.
CREATE FUNCTION count_visitors_v1(sketch integer[]) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT round(CASE WHEN empty > 0 AND raw <= 2560 THEN 1024 * ln(1024.0::float8 / empty) ELSE raw END)::bigint
  FROM (SELECT 1024 - count(*) AS empty,
               0.7213 / (1 + 1.079 / 1024) * 1024 * 1024
               / (1024 - count(*) + coalesce(sum(power(2.0::float8, -(m & 63))), 0)) AS raw
        FROM unnest(sketch) AS m) AS registers
$$;

CREATE FUNCTION click_device_v1(device smallint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (ARRAY['other', 'desktop', 'mobile', 'tablet', 'bot'])[device + 1] $$;

-- The sums of all time stay where they were.
ALTER TABLE link_visits ADD COLUMN bots bigint NOT NULL DEFAULT 0;   -- of total

-- Which numbers of a journal are stored (or dead letters): one instance, one start of it. Several workers store pieces
-- in any order, so these are ranges; they soon become one.
CREATE TABLE click_watermarks (
  instance   uuid NOT NULL,
  epoch      bigint NOT NULL,
  stored     int8multirange NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (instance, epoch)
);

-- What each instance last said of its journal, once a second; see report_journal_v1().
CREATE TABLE click_journals (
  instance    uuid PRIMARY KEY,
  name        text NOT NULL,                           -- where it listens, on which machine
  epoch       bigint NOT NULL,
  written     bigint NOT NULL,                         -- number of the last click of this epoch
  waiting     bigint NOT NULL,                         -- clicks, of all epochs, that are not stored yet
  bytes       bigint NOT NULL,
  bytes_max   bigint NOT NULL,
  dropped     bigint NOT NULL,                         -- clicks lost since it started
  oldest_at   timestamptz,                             -- of the oldest click that waits; NULL: none does
  way         text NOT NULL,                           -- stream, direct, or stuck
  reported_at timestamptz NOT NULL DEFAULT now()
);

-- Clicks that cannot be stored, for their own sake; the others of their batch were.
CREATE TABLE dead_clicks (
  id         uuid PRIMARY KEY,                         -- the click's; of what could not be read, a hash of it
  kind       text NOT NULL CHECK (kind IN ('record', 'entry')),   -- bytes: one record, or a whole entry of the stream
  bytes      bytea NOT NULL,
  reason     text NOT NULL,
  sqlstate   text NOT NULL DEFAULT '',                 -- '': the database was not asked
  attempts   integer NOT NULL DEFAULT 1,
  worker     text NOT NULL,
  instance   uuid,
  epoch      bigint,
  sequence   bigint,
  first_seen timestamptz NOT NULL DEFAULT now(),
  last_seen  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_clicks_first_seen ON dead_clicks (first_seen);

-- Whether clicks are stored at the moment; who pauses says why.
CREATE TABLE click_control (
  only_one   boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  is_paused  boolean NOT NULL DEFAULT false,
  why        text NOT NULL DEFAULT '',
  changed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO click_control DEFAULT VALUES;

-- Stores clicks, one in each of the first arrays' places; `instances` to `lasts` say which numbers of which journals
-- are done with this call, `dead` is an array of objects with the columns of dead_clicks (bytes in hexadecimal).
-- Rows are taken in the order of their keys, so that two calls lock each other out at most by way of an error that
-- says so (40P01), and goes away.
CREATE FUNCTION ingest_clicks_v1(ids uuid[], ats bigint[], codes text[], referrers text[], devices smallint[],
                                 bots_ boolean[], visitors integer[], countries text[], addresses cidr[],
                                 instances uuid[], epochs bigint[], firsts bigint[], lasts bigint[], dead jsonb)
RETURNS TABLE (stored bigint, duplicates bigint) LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  is_near boolean;   -- to the turn of a month: an id may be there under the month before or after
BEGIN
  SELECT coalesce(to_char(to_timestamp(min(a)::float8 / 1000 - 900) AT TIME ZONE 'UTC', 'YYYY-MM')
               <> to_char(to_timestamp(max(a)::float8 / 1000 + 900) AT TIME ZONE 'UTC', 'YYYY-MM'), false)
  INTO is_near FROM unnest(ats) AS a;
  IF is_near THEN
    PERFORM pg_advisory_xact_lock(7525363713131737974);
  END IF;

  WITH given AS (
    SELECT DISTINCT ON (g.click_id) g.click_id, to_timestamp(g.ms::float8 / 1000) AS at,
           date '1970-01-01' + (g.ms / 86400000)::integer AS day, g.code, g.referrer, g.device, g.is_bot, g.visitor,
           g.country, g.address
    FROM unnest(ids, ats, codes, referrers, devices, bots_, visitors, countries, addresses)
         AS g (click_id, ms, code, referrer, device, is_bot, visitor, country, address)
    ORDER BY g.click_id
  ), ins AS (
    INSERT INTO clicks AS c (click_id, month, at, code, referrer, device, is_bot, visitor, country, address)
    SELECT g.click_id, date_trunc('month', g.day::timestamp)::date, g.at, g.code, g.referrer, g.device, g.is_bot,
           g.visitor, g.country, g.address
    FROM given AS g
    WHERE NOT is_near OR NOT EXISTS (
      SELECT FROM clicks AS o WHERE o.click_id = g.click_id
      AND o.month IN (date_trunc('month', g.day::timestamp - interval '1 day')::date,
                      date_trunc('month', g.day::timestamp + interval '1 day')::date))
    ON CONFLICT DO NOTHING
    RETURNING c.code, c.at, (c.at AT TIME ZONE 'UTC')::date AS day, c.referrer, c.device, c.is_bot, c.visitor
  ), totals AS (
    INSERT INTO link_visits AS v (code, total, bots, last_at)
    SELECT i.code, count(*), count(*) FILTER (WHERE i.is_bot), max(i.at) FROM ins AS i GROUP BY i.code ORDER BY i.code
    ON CONFLICT (domain, code) DO UPDATE SET total = v.total + excluded.total, bots = v.bots + excluded.bots,
                                             last_at = greatest(v.last_at, excluded.last_at)
  ), quarters AS (
    INSERT INTO click_quarters AS q (code, quarter, n, bots)
    SELECT i.code, to_timestamp(floor(extract(epoch FROM i.at) / 900)::float8 * 900) AS quarter, count(*),
           count(*) FILTER (WHERE i.is_bot)
    FROM ins AS i GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (domain, code, quarter) DO UPDATE SET n = q.n + excluded.n, bots = q.bots + excluded.bots
  ), came AS (
    SELECT i.code, i.day, i.referrer AS val, count(*) AS n, count(*) FILTER (WHERE i.is_bot) AS bots
    FROM ins AS i GROUP BY 1, 2, 3
  ), marked AS (   -- those without a row yet are numbered
    SELECT came.*, d.code IS NOT NULL OR came.val = '' AS has_place,
           row_number() OVER (PARTITION BY came.code, came.day, d.code IS NOT NULL OR came.val = ''
                              ORDER BY came.n DESC, came.val) AS at_
    FROM came LEFT JOIN click_daily AS d ON d.domain = '' AND d.code = came.code AND d.day = came.day
                                         AND d.dim = 'referrer' AND d.val = came.val
  ), used AS (
    SELECT w.code, w.day, (SELECT count(*) FROM (
             SELECT FROM click_daily AS d WHERE d.domain = '' AND d.code = w.code AND d.day = w.day
             AND d.dim = 'referrer' AND d.val NOT IN ('', '(other)') LIMIT 500) AS few) AS rows_
    FROM (SELECT DISTINCT m.code, m.day FROM marked AS m WHERE NOT m.has_place) AS w
  ), daily AS (
    INSERT INTO click_daily AS d (code, day, dim, val, n, bots)
    SELECT whole.code, whole.day, whole.dim, whole.val, sum(whole.n)::bigint, sum(whole.bots)::bigint FROM (
      SELECT m.code, m.day, 'referrer' AS dim,
             CASE WHEN m.has_place OR u.rows_ + m.at_ <= 500 THEN m.val ELSE '(other)' END AS val, m.n, m.bots
      FROM marked AS m LEFT JOIN used AS u ON u.code = m.code AND u.day = m.day
      UNION ALL
      SELECT i.code, i.day, 'device', click_device_v1(i.device), count(*), count(*) FILTER (WHERE i.is_bot)
      FROM ins AS i GROUP BY 1, 2, 4) AS whole
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (domain, code, day, dim, val) DO UPDATE SET n = d.n + excluded.n, bots = d.bots + excluded.bots
  ), seen AS (
    INSERT INTO click_visitors AS v (code, day, sketch)
    SELECT marks.code, marks.day, array_agg(marks.mark)
    FROM (SELECT i.code, i.day, max(i.visitor) AS mark FROM ins AS i WHERE i.visitor <> 0
          GROUP BY i.code, i.day, i.visitor >> 6) AS marks
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (domain, code, day) DO UPDATE SET sketch = merge_visitors_v1(v.sketch, excluded.sketch)
    WHERE NOT v.sketch @> excluded.sketch
  )
  SELECT count(*) INTO stored FROM ins;
  duplicates := cardinality(ids) - stored;

  INSERT INTO dead_clicks AS d (id, kind, bytes, reason, sqlstate, attempts, worker, instance, epoch, sequence)
  SELECT x.id, x.kind, decode(x.bytes, 'hex'), x.reason, x.sqlstate, x.attempts, x.worker, x.instance, x.epoch,
         x.sequence
  FROM jsonb_to_recordset(dead) AS x (id uuid, kind text, bytes text, reason text, sqlstate text, attempts integer,
                                      worker text, instance uuid, epoch bigint, sequence bigint)
  ORDER BY x.id
  ON CONFLICT (id) DO UPDATE SET attempts = d.attempts + excluded.attempts, reason = excluded.reason,
                                 sqlstate = excluded.sqlstate, worker = excluded.worker, last_seen = now();

  INSERT INTO click_watermarks AS w (instance, epoch, stored)
  SELECT p.instance, p.epoch, range_agg(int8range(p.first_, p.last_, '[]'))
  FROM unnest(instances, epochs, firsts, lasts) AS p (instance, epoch, first_, last_)
  GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT ON CONSTRAINT click_watermarks_pkey DO UPDATE SET stored = w.stored + excluded.stored, updated_at = now();
  RETURN NEXT;
END $$;

-- An instance says how its journal is, and hears which numbers of it are stored (its `epochs_`: those that it has
-- segments of; of each one row at least), and whether storing is paused.
CREATE FUNCTION report_journal_v1(instance_ uuid, name_ text, epoch_ bigint, written_ bigint, waiting_ bigint,
                                  bytes_ bigint, bytes_max_ bigint, dropped_ bigint, oldest_ms bigint, way_ text,
                                  instances uuid[], epochs bigint[])
RETURNS TABLE (instance uuid, epoch bigint, stored text, is_paused boolean) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO click_journals AS j (instance, name, epoch, written, waiting, bytes, bytes_max, dropped, oldest_at, way)
  VALUES (instance_, name_, epoch_, written_, waiting_, bytes_, bytes_max_, dropped_,
          to_timestamp(oldest_ms::float8 / 1000), way_)
  ON CONFLICT ON CONSTRAINT click_journals_pkey DO UPDATE
  SET name = excluded.name, epoch = excluded.epoch, written = excluded.written, waiting = excluded.waiting,
      bytes = excluded.bytes, bytes_max = excluded.bytes_max, dropped = excluded.dropped,
      oldest_at = excluded.oldest_at, way = excluded.way, reported_at = now();
  RETURN QUERY
    SELECT p.instance, p.epoch, coalesce(w.stored, '{}')::text, c.is_paused
    FROM unnest(instances, epochs) AS p (instance, epoch) CROSS JOIN click_control AS c
    LEFT JOIN click_watermarks AS w ON w.instance = p.instance AND w.epoch = p.epoch;
END $$;
