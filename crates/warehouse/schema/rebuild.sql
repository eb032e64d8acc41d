-- What a rebuild needs beside the tables: run in the transaction that empties them.

-- Customers whose personal data was erased, and letters whose bytes were: filling the tables again brings neither back.
CREATE TABLE IF NOT EXISTS kassa.erased (customer_key bigint PRIMARY KEY);
CREATE TABLE IF NOT EXISTS kassa.erased_letters (
  topic text NOT NULL, partition bigint NOT NULL, "offset" bigint NOT NULL, PRIMARY KEY (topic, partition, "offset"));
INSERT INTO kassa.erased_letters
SELECT DISTINCT topic, partition, "offset" FROM kassa.dead_letters WHERE value IS NULL AND reason <> 'tombstone' ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION kassa.leave_out_erased() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM kassa.erased e WHERE e.customer_key = NEW.customer_key) THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION kassa.empty_erased() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM kassa.erased_letters e WHERE e.topic = NEW.topic AND e.partition = NEW.partition AND e."offset" = NEW."offset") THEN
    NEW.key := NULL; NEW.headers := NULL; NEW.value := NULL; NEW.detail := NULL;
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS leave_out_erased ON dwh.vault_customer;
CREATE TRIGGER leave_out_erased BEFORE INSERT ON dwh.vault_customer FOR EACH ROW EXECUTE FUNCTION kassa.leave_out_erased();
DROP TRIGGER IF EXISTS empty_erased ON kassa.dead_letters;
CREATE TRIGGER empty_erased BEFORE INSERT ON kassa.dead_letters FOR EACH ROW EXECUTE FUNCTION kassa.empty_erased();
