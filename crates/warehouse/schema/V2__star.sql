-- The star schema, named and typed as in the lake (crates/model/src/star.rs; a test compares them).
CREATE SCHEMA dwh;

-- Facts: partitioned by the day, each row added once. The time is found by BRIN: rows come nearly in its order.
CREATE TABLE dwh.fact_sales (
  order_id text NOT NULL, line_id text NOT NULL, movement text NOT NULL, order_key bigint NOT NULL, order_date_key integer NOT NULL,
  movement_date_key integer NOT NULL, ordered_at timestamptz NOT NULL, moved_at timestamptz NOT NULL, customer_key bigint NOT NULL,
  product_key bigint NOT NULL, channel_key bigint NOT NULL, promotion_key bigint NOT NULL, ship_address_key bigint NOT NULL,
  ship_country_key bigint NOT NULL, currency text NOT NULL, quantity numeric(18,3) NOT NULL, unit_price numeric(18,6),
  gross_amount numeric(18,6) NOT NULL, discount_amount numeric(18,6) NOT NULL, tax_amount numeric(18,6) NOT NULL,
  shipping_amount numeric(18,6) NOT NULL, net_amount numeric(18,6) NOT NULL, gross_amount_reporting numeric(18,6),
  discount_amount_reporting numeric(18,6), tax_amount_reporting numeric(18,6), shipping_amount_reporting numeric(18,6),
  net_amount_reporting numeric(18,6), fx_rate numeric(18,9), is_test boolean NOT NULL, is_gift_card boolean NOT NULL, is_future boolean NOT NULL,
  session_id text, extra text, source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL,
  source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL, content_hash bigint NOT NULL,
  ingested_at timestamptz NOT NULL) PARTITION BY RANGE (movement_date_key);
CREATE INDEX ON dwh.fact_sales USING brin (moved_at);

CREATE TABLE dwh.fact_order (
  order_id text NOT NULL, order_key bigint NOT NULL, revision bigint NOT NULL, order_date_key integer NOT NULL, status text, financial_status text,
  fulfilment_status text, occurred_at timestamptz NOT NULL, placed_at timestamptz NOT NULL, processed_at timestamptz, paid_at timestamptz,
  cancelled_at timestamptz, closed_at timestamptz, cancel_reason text, customer_key bigint NOT NULL, channel_key bigint NOT NULL,
  promotion_key bigint NOT NULL, billing_address_key bigint NOT NULL, ship_address_key bigint NOT NULL, ship_country_key bigint NOT NULL,
  currency text, shop_currency text, tax_included boolean, subtotal numeric(18,6), discount numeric(18,6), tax numeric(18,6), shipping numeric(18,6),
  duty numeric(18,6), tip numeric(18,6), gift_card numeric(18,6), total numeric(18,6), fx_rate numeric(18,9), duty_reporting numeric(18,6),
  coupons text, attribution text, is_test boolean NOT NULL, is_future boolean NOT NULL, lines_differ boolean NOT NULL, session_id text, extra text,
  source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL,
  source text, store_id text NOT NULL, content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL) PARTITION BY RANGE (order_date_key);
CREATE INDEX ON dwh.fact_order USING brin (occurred_at);

CREATE TABLE dwh.fact_payment (
  payment_id text NOT NULL, order_id text NOT NULL, order_key bigint NOT NULL, kind text NOT NULL, parent_id text, status text, gateway text,
  payment_method_key bigint NOT NULL, customer_key bigint NOT NULL, channel_key bigint NOT NULL, payment_date_key integer NOT NULL,
  occurred_at timestamptz NOT NULL, amount numeric(18,6) NOT NULL, currency text NOT NULL, amount_reporting numeric(18,6), fx_rate numeric(18,9),
  instalments bigint, sequence bigint, is_test boolean NOT NULL, is_future boolean NOT NULL, extra text, source_topic text NOT NULL,
  source_partition bigint NOT NULL, source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL, source text,
  store_id text NOT NULL, content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL) PARTITION BY RANGE (payment_date_key);
CREATE INDEX ON dwh.fact_payment USING brin (occurred_at);

CREATE TABLE dwh.fact_event (
  type text NOT NULL, custom_type text, event_date_key integer NOT NULL, occurred_at timestamptz NOT NULL, customer_key bigint NOT NULL,
  person_key bigint NOT NULL, session_key bigint NOT NULL, session_id text, anonymous_id text, product_key bigint NOT NULL,
  channel_key bigint NOT NULL, country_key bigint NOT NULL, quantity numeric(18,3), price numeric(18,6), currency text, url text, referrer text,
  utm_source text, utm_medium text, utm_campaign text, utm_term text, utm_content text, device text, search_query text, list_id text, position bigint,
  cart_id text, checkout_id text, order_id text, order_key bigint NOT NULL, is_test boolean NOT NULL, is_bot boolean NOT NULL,
  is_future boolean NOT NULL, extra text, source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL,
  source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL, content_hash bigint NOT NULL,
  ingested_at timestamptz NOT NULL) PARTITION BY RANGE (event_date_key);
CREATE INDEX ON dwh.fact_event USING brin (occurred_at);

CREATE TABLE dwh.fact_inventory (
  product_key bigint NOT NULL, location text NOT NULL, inventory_date_key integer NOT NULL, occurred_at timestamptz NOT NULL,
  level numeric(18,3) NOT NULL, extra text, source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL,
  source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL, content_hash bigint NOT NULL,
  ingested_at timestamptz NOT NULL) PARTITION BY RANGE (inventory_date_key);
CREATE INDEX ON dwh.fact_inventory USING brin (occurred_at);

CREATE TABLE dwh.fact_fx_rate (
  base text NOT NULL, quote text NOT NULL, rate_date_key integer NOT NULL, rate numeric(18,9) NOT NULL, occurred_at timestamptz NOT NULL,
  source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL,
  source text, store_id text NOT NULL, content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL) PARTITION BY RANGE (rate_date_key);
CREATE INDEX ON dwh.fact_fx_rate USING brin (occurred_at);

-- Dimensions with versions: a row a version, as the lake has them.
CREATE TABLE dwh.dim_customer (
  customer_key bigint NOT NULL, customer_id text NOT NULL, segment text, consent text, home_city_key bigint NOT NULL, valid_from timestamptz NOT NULL,
  is_placeholder boolean NOT NULL, extra text, source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL,
  source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL, content_hash bigint NOT NULL,
  ingested_at timestamptz NOT NULL, PRIMARY KEY (customer_key, source_topic, source_partition, source_offset, source_index));
CREATE TABLE dwh.dim_product (
  product_key bigint NOT NULL, product_id text NOT NULL, variant_id text, sku text, name text, brand text, category_key bigint NOT NULL,
  price numeric(18,6), cost numeric(18,6), currency text, status text, valid_from timestamptz NOT NULL, is_placeholder boolean NOT NULL, extra text,
  source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL,
  source text, store_id text NOT NULL, content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL,
  PRIMARY KEY (product_key, source_topic, source_partition, source_offset, source_index));
CREATE TABLE dwh.vault_customer (
  customer_key bigint NOT NULL, name text, email text, phone text, street text, postcode text, valid_from timestamptz NOT NULL,
  source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL,
  source text, store_id text NOT NULL, content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL,
  PRIMARY KEY (customer_key, source_topic, source_partition, source_offset, source_index));

-- Dimensions without: a row a member. The key follows from all that the row says, so the first row is as good as any.
CREATE TABLE dwh.dim_category (
  category_key bigint NOT NULL, name text NOT NULL, level integer NOT NULL, parent_key bigint NOT NULL, path text NOT NULL,
  source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL,
  source text, store_id text NOT NULL, content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL, PRIMARY KEY (category_key));
CREATE TABLE dwh.dim_address (
  address_key bigint NOT NULL, postcode text, city_key bigint NOT NULL, source_topic text NOT NULL, source_partition bigint NOT NULL,
  source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL,
  content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL, PRIMARY KEY (address_key));
CREATE TABLE dwh.dim_city (
  city_key bigint NOT NULL, name text NOT NULL, region text, country_key bigint NOT NULL, source_topic text NOT NULL,
  source_partition bigint NOT NULL, source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL, source text,
  store_id text NOT NULL, content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL, PRIMARY KEY (city_key));
CREATE TABLE dwh.dim_country (
  country_key bigint NOT NULL, code text NOT NULL, name text NOT NULL, source_topic text NOT NULL, source_partition bigint NOT NULL,
  source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL,
  content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL, PRIMARY KEY (country_key));
CREATE TABLE dwh.dim_channel (
  channel_key bigint NOT NULL, name text NOT NULL, source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL,
  source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL, content_hash bigint NOT NULL,
  ingested_at timestamptz NOT NULL, PRIMARY KEY (channel_key));
CREATE TABLE dwh.dim_promotion (
  promotion_key bigint NOT NULL, code text NOT NULL, source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL,
  source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL, content_hash bigint NOT NULL,
  ingested_at timestamptz NOT NULL, PRIMARY KEY (promotion_key));
CREATE TABLE dwh.dim_payment_method (
  payment_method_key bigint NOT NULL, name text NOT NULL, source_topic text NOT NULL, source_partition bigint NOT NULL, source_offset bigint NOT NULL,
  source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL, content_hash bigint NOT NULL,
  ingested_at timestamptz NOT NULL, PRIMARY KEY (payment_method_key));
CREATE TABLE dwh.dim_currency (
  currency_key bigint NOT NULL, code text NOT NULL, minor_digits integer NOT NULL, source_topic text NOT NULL, source_partition bigint NOT NULL,
  source_offset bigint NOT NULL, source_index integer NOT NULL, event_id text NOT NULL, source text, store_id text NOT NULL,
  content_hash bigint NOT NULL, ingested_at timestamptz NOT NULL, PRIMARY KEY (currency_key));

-- Derived: replaced as a whole.
CREATE TABLE dwh.fact_session (
  session_key bigint NOT NULL, session_id text, person_key bigint NOT NULL, customer_key bigint NOT NULL, session_date_key integer NOT NULL,
  started_at timestamptz NOT NULL, ended_at timestamptz NOT NULL, entry_url text, exit_url text, events bigint NOT NULL, viewed boolean NOT NULL,
  added boolean NOT NULL, checkout boolean NOT NULL, paid boolean NOT NULL, converted boolean NOT NULL, abandoned boolean NOT NULL,
  revenue_reporting numeric(18,6) NOT NULL, PRIMARY KEY (session_key, started_at));
CREATE TABLE dwh.dim_date (
  date_key integer NOT NULL, date date NOT NULL, year integer NOT NULL, quarter integer NOT NULL, month integer NOT NULL, day integer NOT NULL,
  iso_year integer NOT NULL, iso_week integer NOT NULL, weekday integer NOT NULL, weekday_name text NOT NULL, month_name text NOT NULL,
  starts_at timestamptz NOT NULL, hours integer NOT NULL, holiday text, PRIMARY KEY (date_key));
CREATE TABLE dwh.dim_time (
  time_key integer NOT NULL, hour integer NOT NULL, minute integer NOT NULL, quarter_hour integer NOT NULL, PRIMARY KEY (time_key));
