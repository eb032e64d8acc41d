-- What each role may do. Run after every migration, where the roles are there; harmless to repeat.
DO $$
BEGIN
  -- Compiling a query over many partitions takes minutes, running it milliseconds. A login that may not set this is no error: docs/reference/warehouse.md has the command for the owner.
  IF NOT EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                 WHERE d.datname = current_database() AND s.setrole = 0 AND EXISTS (SELECT FROM unnest(s.setconfig) held WHERE held LIKE 'jit=%')) THEN
    BEGIN
      EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'kassa_ingest') THEN
    GRANT USAGE ON SCHEMA dwh, ods, kassa TO kassa_ingest;
    GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA dwh, ods, kassa TO kassa_ingest;
    GRANT UPDATE ON ods.customers, ods.orders, dwh.agg_sales_daily, dwh.agg_events_daily, kassa.positions, kassa.derived, kassa.commits, kassa.shop TO kassa_ingest;
    GRANT UPDATE (replayed_at) ON kassa.dead_letters TO kassa_ingest;
    GRANT DELETE ON dwh.fact_session, dwh.dim_fx_rate, dwh.dim_date, dwh.dim_time, kassa.derived, kassa.claims TO kassa_ingest;
    REVOKE INSERT ON kassa.migrations, kassa.dropped FROM kassa_ingest;
    GRANT EXECUTE ON FUNCTION kassa.add_partition(text, integer, integer), kassa.retire_partition(text, text) TO kassa_ingest;
    GRANT EXECUTE ON FUNCTION dwh.figure(text, text, text) TO kassa_ingest;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'kassa_read') THEN
    GRANT USAGE ON SCHEMA dwh, ods, kassa TO kassa_read;
    GRANT SELECT ON ALL TABLES IN SCHEMA dwh, ods TO kassa_read;
    REVOKE ALL ON dwh.vault_customer, dwh.rejected FROM kassa_read;
    GRANT EXECUTE ON FUNCTION dwh.figure(text, text, text) TO kassa_read;
    GRANT SELECT ON kassa.positions, kassa.spans, kassa.derived, kassa.dropped, kassa.partitions, kassa.migrations TO kassa_read;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'kassa_erase') THEN
    GRANT USAGE ON SCHEMA dwh, ods, kassa TO kassa_erase;
    GRANT SELECT, DELETE ON dwh.vault_customer TO kassa_erase;
    GRANT SELECT ON dwh.dim_customer, kassa.dead_letters, kassa.partitions TO kassa_erase;
    GRANT UPDATE (key, headers, value, detail) ON kassa.dead_letters TO kassa_erase;
    GRANT EXECUTE ON FUNCTION kassa.drop_partition(text, text) TO kassa_erase;
  END IF;
END $$;
