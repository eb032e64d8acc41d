-- Partitions of the facts, made and dropped by these functions alone: so the role that ingests can have a day made without owning
-- the tables, and the one that erases can drop a day.

-- A partition for [from_day, to_day), attached empty: readers and writers of the other partitions go on.
CREATE FUNCTION kassa.add_partition(fact text, from_day integer, to_day integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE part text := format('%s_p%s_%s', fact, from_day, to_day);
BEGIN
  IF fact NOT IN ('fact_sales', 'fact_order', 'fact_payment', 'fact_event', 'fact_inventory', 'fact_fx_rate') OR from_day >= to_day THEN
    RAISE EXCEPTION 'no partition [%, %) of %', from_day, to_day, fact USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('kassa partitions'));
  IF to_regclass(format('dwh.%I', part)) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE dwh.%I (LIKE dwh.%I INCLUDING DEFAULTS)', part, fact);
  EXECUTE format('ALTER TABLE dwh.%I ATTACH PARTITION dwh.%I FOR VALUES FROM (%s) TO (%s)', fact, part, from_day, to_day);
  RETURN true;
END $$;

-- Drops a partition, and notes for `kassa prove` what went with it. NULL: it was dropped by another meanwhile.
--
-- What is in it is counted before readers are locked out, which then is for no longer than a DROP; whoever reads for longer than two seconds is not
-- waited for (55P03), lest all others queue behind us: it is tried again later.
CREATE FUNCTION kassa.drop_partition(fact text, part text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE bounds integer[]; gone bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('kassa partitions'));
  SELECT p.bounds INTO bounds FROM kassa.partitions p WHERE p.table_name = fact AND p.partition_name = part;
  IF bounds IS NULL THEN
    RETURN NULL;
  END IF;
  EXECUTE format('LOCK TABLE dwh.%I IN SHARE MODE', part);
  EXECUTE format(
    'INSERT INTO kassa.dropped (table_name, from_day, to_day, topic, partition, records, dropped_at)
     SELECT %L, %s, %s, source_topic, source_partition, count(DISTINCT source_offset), clock_timestamp() FROM dwh.%I GROUP BY source_topic, source_partition
     ON CONFLICT (table_name, from_day, topic, partition) DO UPDATE SET records = kassa.dropped.records + excluded.records,
       to_day = greatest(kassa.dropped.to_day, excluded.to_day), dropped_at = excluded.dropped_at',
    fact, bounds[1], bounds[2], part);
  EXECUTE format('SELECT count(*) FROM dwh.%I', part) INTO gone;
  EXECUTE format('DROP TABLE dwh.%I', part);
  RETURN gone;
END $$;

-- The same for the role that ingests, which obeys a configured retention: whatever it is told, nothing of the last 31 days goes.
CREATE FUNCTION kassa.retire_partition(fact text, part text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE kept integer := to_char((now() AT TIME ZONE 'UTC')::date - 31, 'YYYYMMDD')::integer;
BEGIN
  IF EXISTS (SELECT FROM kassa.partitions p WHERE p.table_name = fact AND p.partition_name = part AND p.bounds[2] > kept) THEN
    RAISE EXCEPTION '% has days from % on: retention drops none of the last 31 days', part, kept USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN kassa.drop_partition(fact, part);
END $$;

-- The partitions there are, with their bounds: yyyymmdd, half open.
CREATE VIEW kassa.partitions AS
SELECT parent.relname::text AS table_name, part.relname::text AS partition_name,
  ARRAY[(regexp_match(bound, 'FROM \((\d+)\)'))[1]::integer, (regexp_match(bound, 'TO \((\d+)\)'))[1]::integer] AS bounds
FROM pg_inherits
JOIN pg_class part ON part.oid = inhrelid
JOIN pg_class parent ON parent.oid = inhparent
JOIN pg_namespace space ON space.oid = parent.relnamespace
CROSS JOIN LATERAL pg_get_expr(part.relpartbound, part.oid) AS bound
WHERE space.nspname = 'dwh' AND parent.relkind = 'p' AND part.relkind = 'r';

REVOKE ALL ON FUNCTION kassa.add_partition(text, integer, integer), kassa.drop_partition(text, text),
  kassa.retire_partition(text, text) FROM PUBLIC;
