-- The current state, for transactional look-ups. Personal data is in dwh.vault_customer alone.
--
-- Records arrive in any order, so a row may name a parent that has not come: the transaction that brings the row brings a placeholder
-- for the parent, which the parent's own record fills. References hold at every moment, and no arrival breaks them.
--
-- They are declared foreign keys, but for that of the lines, of which there are many: PostgreSQL asks after a declared one row by row, which alone costs
-- more than the fact and its line together. Theirs is asked by triggers of a statement each, over all that the statement adds at once.
CREATE SCHEMA ods;

CREATE TABLE ods.customers (
  customer_key bigint PRIMARY KEY, customer_id text, store_id text, segment text, consent text, home_city_key bigint,
  valid_from timestamptz, is_placeholder boolean NOT NULL);

-- The highest revision, not the latest arrival. A placeholder has what its lines and payments say of it.
CREATE TABLE ods.orders (
  order_key bigint PRIMARY KEY, order_id text NOT NULL, store_id text NOT NULL, revision bigint, status text, financial_status text,
  fulfilment_status text, occurred_at timestamptz, placed_at timestamptz, processed_at timestamptz, paid_at timestamptz,
  cancelled_at timestamptz, closed_at timestamptz, cancel_reason text,
  customer_key bigint REFERENCES ods.customers, channel_key bigint, promotion_key bigint, ship_address_key bigint, currency text,
  subtotal numeric(18,6), discount numeric(18,6), tax numeric(18,6), shipping numeric(18,6), duty numeric(18,6), total numeric(18,6),
  is_test boolean NOT NULL, is_placeholder boolean NOT NULL);
CREATE INDEX ON ods.orders (customer_key);

-- Every revision that was taken, and nothing of it but its key: the last line of defence for orders.
CREATE TABLE ods.order_revisions (
  order_key bigint NOT NULL, revision bigint NOT NULL,
  PRIMARY KEY (order_key, revision));

-- Every movement of every line. Its primary key is the last line of defence for lines and refunds, over all partitions of fact_sales.
CREATE TABLE ods.order_details (
  order_key bigint NOT NULL, line_id text NOT NULL, movement text NOT NULL, product_key bigint NOT NULL,
  currency text NOT NULL, quantity numeric(18,3) NOT NULL, unit_price numeric(18,6), gross_amount numeric(18,6) NOT NULL,
  discount_amount numeric(18,6) NOT NULL, tax_amount numeric(18,6) NOT NULL, shipping_amount numeric(18,6) NOT NULL,
  net_amount numeric(18,6) NOT NULL, moved_at timestamptz NOT NULL,
  PRIMARY KEY (order_key, line_id));

COMMENT ON COLUMN ods.order_details.order_key IS 'references ods.orders (order_key): held by the triggers have_orders and keep_lines';

-- By the orders' primary key, whatever statistics say: a plan made while there were few orders must not read all of them later.
CREATE FUNCTION ods.have_orders() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE orphan bigint;
BEGIN
  SELECT a.order_key INTO orphan FROM (SELECT DISTINCT order_key FROM added) a
    WHERE NOT EXISTS (SELECT FROM ods.orders o WHERE o.order_key = a.order_key) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'a line of ods.order_details has no order' USING ERRCODE = 'foreign_key_violation',
      DETAIL = format('Key (order_key)=(%s) is not present in table "orders".', orphan);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER have_orders AFTER INSERT ON ods.order_details
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ods.have_orders();
CREATE TRIGGER have_orders_still AFTER UPDATE ON ods.order_details
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ods.have_orders();

-- Who takes an order away waits for those who add lines, and has them wait: so neither misses the other. With its owner's rights, as they take a lock.
CREATE FUNCTION ods.lock_lines() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  LOCK TABLE ods.order_details IN SHARE MODE;
  RETURN NULL;
END $$;
CREATE FUNCTION ods.keep_lines() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM ods.order_details d WHERE NOT EXISTS (SELECT FROM ods.orders o WHERE o.order_key = d.order_key)) THEN
    RAISE EXCEPTION 'orders that have lines in ods.order_details cannot be taken away' USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER lock_lines BEFORE DELETE OR UPDATE OF order_key ON ods.orders FOR EACH STATEMENT EXECUTE FUNCTION ods.lock_lines();
CREATE TRIGGER keep_lines AFTER DELETE OR UPDATE OF order_key OR TRUNCATE ON ods.orders FOR EACH STATEMENT EXECUTE FUNCTION ods.keep_lines();

-- Every transaction. Its primary key is the last line of defence for payments.
CREATE TABLE ods.payments (
  payment_id text NOT NULL, kind text NOT NULL, store_id text NOT NULL, order_key bigint NOT NULL REFERENCES ods.orders, parent_id text,
  status text, gateway text, payment_method_key bigint NOT NULL, occurred_at timestamptz NOT NULL, amount numeric(18,6) NOT NULL,
  currency text NOT NULL, instalments bigint, sequence bigint, is_test boolean NOT NULL,
  PRIMARY KEY (payment_id, kind, store_id));
CREATE INDEX ON ods.payments (order_key);

-- Sums by day, added up in memory and then here, in the transaction that brings the rows.
CREATE TABLE dwh.agg_sales_daily (
  movement_date_key integer NOT NULL, movement text NOT NULL, currency text NOT NULL, ship_country_key bigint NOT NULL,
  channel_key bigint NOT NULL, is_test boolean NOT NULL,
  lines bigint NOT NULL, quantity numeric(38,3) NOT NULL, gross_amount numeric(38,6) NOT NULL, discount_amount numeric(38,6) NOT NULL,
  tax_amount numeric(38,6) NOT NULL, shipping_amount numeric(38,6) NOT NULL, net_amount numeric(38,6) NOT NULL,
  net_amount_reporting numeric(38,6) NOT NULL, unconverted bigint NOT NULL,
  PRIMARY KEY (movement_date_key, movement, currency, ship_country_key, channel_key, is_test));

CREATE TABLE dwh.agg_events_daily (
  event_date_key integer NOT NULL, type text NOT NULL, channel_key bigint NOT NULL, is_test boolean NOT NULL, is_bot boolean NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (event_date_key, type, channel_key, is_test, is_bot));
