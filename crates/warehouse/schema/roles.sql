-- The roles, each with what its work takes and nothing more. Run once by an administrator, in the warehouse's database, before `kassa`
-- first migrates it; grant them to the logins that do the work:
--
--   psql -v ON_ERROR_STOP=1 -d shop -f roles.sql
--   CREATE ROLE kassa LOGIN PASSWORD '…' IN ROLE kassa_ingest;
--
--   kassa_migrate  owns the schemas, makes and alters tables
--   kassa_ingest   adds facts, keeps dimensions, current state, sums and positions; reads what it compares; deletes no fact
--   kassa_read     reads figures, star and current state, but no personal data and no raw bytes
--   kassa_erase    erases personal data and dead letters' bytes, drops partitions that have had their time
DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['kassa_migrate', 'kassa_ingest', 'kassa_read', 'kassa_erase'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
  -- Compiling a query over many partitions takes minutes, running it milliseconds.
  EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
  -- As PostgreSQL 15 has it by itself: not everybody makes tables.
  REVOKE CREATE ON SCHEMA public FROM PUBLIC;
  EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO kassa_migrate', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO kassa_ingest, kassa_read, kassa_erase', current_database());
END $$;
