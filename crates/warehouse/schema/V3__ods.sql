-- The current state, for transactional look-ups. Personal data is in dwh.vault_customer alone.
--
-- Records arrive in any order, so a row may name a parent that has not come: the transaction that brings the row brings a placeholder
-- for the parent, which the parent's own record fills. Foreign keys hold at every moment, and no arrival breaks them.
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
  order_key bigint NOT NULL REFERENCES ods.orders, revision bigint NOT NULL,
  PRIMARY KEY (order_key, revision));

-- Every movement of every line. Its primary key is the last line of defence for lines and refunds, over all partitions of fact_sales.
CREATE TABLE ods.order_details (
  order_key bigint NOT NULL REFERENCES ods.orders, line_id text NOT NULL, movement text NOT NULL, product_key bigint NOT NULL,
  currency text NOT NULL, quantity numeric(18,3) NOT NULL, unit_price numeric(18,6), gross_amount numeric(18,6) NOT NULL,
  discount_amount numeric(18,6) NOT NULL, tax_amount numeric(18,6) NOT NULL, shipping_amount numeric(18,6) NOT NULL,
  net_amount numeric(18,6) NOT NULL, moved_at timestamptz NOT NULL,
  PRIMARY KEY (order_key, line_id));

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
