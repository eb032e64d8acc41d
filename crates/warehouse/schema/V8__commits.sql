-- What is new beyond given positions, found without reading what is old.

-- One row a partition of the source and commit, in the transaction that brings the rows: the earliest ingest time and the days of all rows of that commit. Rows beyond a
-- position lie in commits beyond it, so on none but their days, and were ingested no earlier. `ingested_from` is NULL where a commit brought no rows, `days` is
-- NULL where they are unknown. Dead letters that are replayed have a row of no length at their offset.
CREATE TABLE kassa.commits (
  topic text NOT NULL, partition bigint NOT NULL, from_offset bigint NOT NULL, to_offset bigint NOT NULL, ingested_from timestamptz, days integer[],
  PRIMARY KEY (topic, partition, to_offset, from_offset), CHECK (from_offset <= to_offset));
-- What was committed before this table was there.
INSERT INTO kassa.commits SELECT topic, partition, 0, next, '-infinity', NULL FROM kassa.positions WHERE next > 0;

-- Rows are found by their own time and by that of their ingest. Both grow nearly in the order in which rows are added, which BRIN needs; one index of two columns costs a
-- commit hardly more than one of one. Ranges are summarized when the next one begins: until then they are read.
DROP INDEX dwh.fact_sales_moved_at_idx, dwh.fact_order_occurred_at_idx, dwh.fact_payment_occurred_at_idx, dwh.fact_event_occurred_at_idx,
  dwh.fact_inventory_occurred_at_idx, dwh.fact_fx_rate_occurred_at_idx;
CREATE INDEX fact_sales_times ON dwh.fact_sales USING brin (moved_at, ingested_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX fact_order_times ON dwh.fact_order USING brin (occurred_at, ingested_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX fact_payment_times ON dwh.fact_payment USING brin (occurred_at, ingested_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX fact_event_times ON dwh.fact_event USING brin (occurred_at, ingested_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX fact_inventory_times ON dwh.fact_inventory USING brin (occurred_at, ingested_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX fact_fx_rate_times ON dwh.fact_fx_rate USING brin (occurred_at, ingested_at) WITH (pages_per_range = 32, autosummarize = on);
DO $do$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['dim_customer', 'dim_product', 'vault_customer', 'dim_category', 'dim_address', 'dim_city', 'dim_country', 'dim_channel', 'dim_promotion',
    'dim_payment_method', 'dim_currency'] LOOP
    EXECUTE format('CREATE INDEX %I ON dwh.%I USING brin (ingested_at) WITH (pages_per_range = 32, autosummarize = on)', name || '_times', name);
  END LOOP;
END $do$;

-- Which sessions say that they completed which orders, kept by the refresh of the derived tables beside fact_session.
CREATE TABLE kassa.claims (
  order_key bigint NOT NULL, session_key bigint NOT NULL, claimed_at timestamptz NOT NULL, PRIMARY KEY (order_key, session_key, claimed_at));
DELETE FROM kassa.derived WHERE table_name = 'fact_session';

-- Replayed dead letters are counted: their rows lie before positions that a derived table has passed.
CREATE INDEX dead_letters_replayed ON kassa.dead_letters (replayed_at) WHERE replayed_at IS NOT NULL;
