-- As in 0040, but for `placed`: while a table is new, or has grown much since it was analyzed, a join with click_daily was
-- planned as a walk over all of the day's rows, for each batch (measured: docs/bench/clicks.md).
CREATE OR REPLACE FUNCTION ingest_clicks_v1(ids uuid[], ats bigint[], codes text[], referrers text[], devices smallint[],
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
  ), placed AS (   -- each is looked up by its key, whatever the planner thinks of the table
    SELECT came.*, came.val = '' OR (SELECT true FROM click_daily AS d
                                     WHERE d.domain = '' AND d.code = came.code AND d.day = came.day
                                     AND d.dim = 'referrer' AND d.val = came.val LIMIT 1) IS NOT NULL AS has_place
    FROM came
  ), marked AS (   -- those without a row yet are numbered
    SELECT placed.*, row_number() OVER (PARTITION BY placed.code, placed.day, placed.has_place
                                        ORDER BY placed.n DESC, placed.val) AS at_
    FROM placed
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
