-- Visits are counted beside the links: a redirect never writes to a row that redirects read.
CREATE TABLE link_visits (
  domain  text COLLATE "C" NOT NULL DEFAULT '',
  code    text COLLATE "C" NOT NULL,
  total   bigint NOT NULL CHECK (total >= 0),
  last_at timestamptz NOT NULL,
  PRIMARY KEY (domain, code)
);

-- How far the batches of one running instance have been counted: a batch sent twice counts once.
CREATE TABLE visit_watermarks (
  instance   uuid PRIMARY KEY,
  sequence   bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
