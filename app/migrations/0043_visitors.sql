-- Sketches of visitors are merged by appending, and tidied when they get long: most of what storing a click cost the
-- database was this (measured: docs/bench/clicks.md). A register may stand there more than once; its largest mark counts.
CREATE FUNCTION tidy_visitors_v1(sketch integer[]) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT array_agg(mark) FROM (SELECT max(m) AS mark FROM unnest(sketch) AS m GROUP BY m >> 6) AS marks $$;

CREATE OR REPLACE FUNCTION merge_visitors_v1(a integer[], b integer[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN cardinality(a) + cardinality(b) > 2048 THEN tidy_visitors_v1(a || b) ELSE a || b END $$;

CREATE OR REPLACE FUNCTION count_visitors_v1(sketch integer[]) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT round(CASE WHEN empty > 0 AND raw <= 2560 THEN 1024 * ln(1024.0::float8 / empty) ELSE raw END)::bigint
  FROM (SELECT 1024 - count(*) AS empty,
               0.7213 / (1 + 1.079 / 1024) * 1024 * 1024
               / (1024 - count(*) + coalesce(sum(power(2.0::float8, -(m & 63))), 0)) AS raw
        FROM unnest(tidy_visitors_v1(sketch)) AS m) AS registers
$$;
