-- What kassa keeps beside the star: how far it is, what became of every record, and what it set aside.
CREATE SCHEMA IF NOT EXISTS kassa;

-- The next offset to read of each partition, moved by compare-and-set in the transaction that brings the rows.
CREATE TABLE kassa.positions (
  topic text NOT NULL, partition bigint NOT NULL, next bigint NOT NULL CHECK (next >= 0), moved_at timestamptz NOT NULL,
  PRIMARY KEY (topic, partition));

CREATE TABLE kassa.spans (
  topic text NOT NULL, partition bigint NOT NULL, from_offset bigint NOT NULL, to_offset bigint NOT NULL, read bigint NOT NULL,
  accepted bigint NOT NULL, duplicates bigint NOT NULL, dead_letters bigint NOT NULL, gap bigint NOT NULL, committed_at timestamptz NOT NULL,
  PRIMARY KEY (topic, partition, from_offset), CHECK (from_offset < to_offset), CHECK (read = accepted + duplicates + dead_letters));

-- Dead letters, with the bytes as they came. `dwh.rejected` is the view of them.
CREATE TABLE kassa.dead_letters (
  topic text NOT NULL, partition bigint NOT NULL, "offset" bigint NOT NULL, source_index integer NOT NULL, timestamp timestamptz, key bytea,
  headers text, schema_id integer, value bytea, stream text NOT NULL, contract text NOT NULL, reason text NOT NULL, field text, detail text,
  rejected_at timestamptz NOT NULL, replayed_at timestamptz, PRIMARY KEY (topic, partition, "offset", source_index));

-- What retention has dropped: facts that `kassa prove` is not to miss.
CREATE TABLE kassa.dropped (
  table_name text NOT NULL, from_day integer NOT NULL, to_day integer NOT NULL, topic text NOT NULL, partition bigint NOT NULL,
  records bigint NOT NULL, dropped_at timestamptz NOT NULL,
  PRIMARY KEY (table_name, from_day, topic, partition));

-- What each derived table is true of.
CREATE TABLE kassa.derived (
  table_name text NOT NULL, topic text NOT NULL, partition bigint NOT NULL, next bigint NOT NULL, definition bigint NOT NULL,
  refreshed_at timestamptz NOT NULL,
  PRIMARY KEY (table_name, topic, partition));
