-- A shop of :days days up to 2026-01-05, 9,600 rows of facts a day, as commits leave it: twenty a day of each topic.
SET synchronous_commit = off;
CREATE FUNCTION pg_temp.h(t text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT hashtextextended(t, 7) & 9223372036854775807 $$;
CREATE FUNCTION pg_temp.day(t timestamptz) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYYMMDD')::integer $$;
CREATE TEMP TABLE began AS SELECT '2026-01-06T00:00:00Z'::timestamptz - :days * interval '1 day' AS at;
DO $$
BEGIN
  PERFORM kassa.add_partition(fact, pg_temp.day(at + n * interval '1 day'), pg_temp.day(at + (n + 1) * interval '1 day'))
  FROM began, generate_series(0, :days + 7) n,
    unnest(ARRAY['fact_sales', 'fact_order', 'fact_payment', 'fact_event', 'fact_inventory', 'fact_fx_rate']) fact;
END $$;

INSERT INTO dwh.dim_customer (customer_key, customer_id, home_city_key, valid_from, is_placeholder, source_topic, source_partition, source_offset, source_index, event_id,
  store_id, content_hash, ingested_at)
SELECT pg_temp.h('c' || n), 'c' || n, 0, at, true, 'order_line', 0, n, 0, 'e' || n, 'shop', n, at FROM began, generate_series(0, :days * 200) n;
INSERT INTO ods.customers (customer_key, customer_id, store_id, valid_from, is_placeholder)
SELECT customer_key, customer_id, store_id, valid_from, true FROM dwh.dim_customer;
INSERT INTO dwh.dim_product (product_key, product_id, name, category_key, valid_from, is_placeholder, source_topic, source_partition, source_offset, source_index, event_id,
  store_id, content_hash, ingested_at)
SELECT pg_temp.h('p' || n), 'p' || n, 'Product ' || n, 0, at, false, 'product', 0, n, 0, 'e' || n, 'shop', n, at FROM began, generate_series(0, 3999) n;

-- Ten events a session, one after another; two sessions of five complete an order.
INSERT INTO dwh.fact_event (type, event_date_key, occurred_at, customer_key, person_key, session_key, session_id, anonymous_id, product_key, channel_key, country_key, url,
  order_id, order_key, is_test, is_bot, is_future, source_topic, source_partition, source_offset, source_index, event_id, store_id, content_hash, ingested_at)
SELECT CASE WHEN n % 10 = 9 AND o IS NOT NULL THEN 'order_completed' WHEN n % 10 = 8 THEN 'checkout_started' WHEN n % 10 IN (3, 6) THEN 'product_added' ELSE 'product_viewed' END,
  pg_temp.day(at), at, CASE WHEN s % 3 = 0 THEN pg_temp.h('c' || s * 7919 % (:days * 200)) ELSE 0 END, pg_temp.h('a' || s % (:days * 300)), pg_temp.h('s' || s), 's' || s,
  'a' || s % (:days * 300), pg_temp.h('p' || n * 7919 % 4000), 0, 0, 'https://shop.example/p/' || n % 4000, CASE WHEN n % 10 = 9 THEN 'o' || o END,
  CASE WHEN n % 10 = 9 AND o IS NOT NULL THEN pg_temp.h('o' || o) ELSE 0 END, false, false, false, 'event', 0, n, 0, 'e' || n, 'shop', n, at + interval '1 second'
FROM (SELECT n, n / 10 AS s, CASE WHEN n / 10 % 5 < 2 THEN n / 50 * 2 + n / 10 % 5 END AS o,
    began.at + n / 7500 * interval '1 day' + (n % 7500 / 10 * 110 + n % 10 * 60) * interval '1 second' AS at
  FROM began, generate_series(0::bigint, :days * 7500 - 1) n) e ORDER BY at;

-- Five lines an order.
INSERT INTO dwh.fact_sales (order_id, line_id, movement, order_key, order_date_key, movement_date_key, ordered_at, moved_at, customer_key, product_key, channel_key,
  promotion_key, ship_address_key, ship_country_key, currency, quantity, unit_price, gross_amount, discount_amount, tax_amount, shipping_amount, net_amount,
  is_test, is_gift_card, is_future, source_topic, source_partition, source_offset, source_index, event_id, store_id, content_hash, ingested_at)
SELECT 'o' || n / 5, n % 5, 'sale', pg_temp.h('o' || n / 5), pg_temp.day(at), pg_temp.day(at), at, at, pg_temp.h('c' || n / 5 * 31 % (:days * 200)),
  pg_temp.h('p' || n * 7919 % 4000), 0, 0, 0, 0, 'GBP', 1, 10.5, 10.5, 0.5, 1.5, 0, 10, false, false, false, 'order_line', 0, n, 0, 'l' || n,
  'shop', n, at + interval '1 second'
FROM (SELECT n, began.at + n / 1500 * interval '1 day' + n % 1500 / 5 * 280 * interval '1 second' AS at FROM began, generate_series(0::bigint, :days * 1500 - 1) n) l
ORDER BY at;
INSERT INTO dwh.fact_payment (payment_id, order_id, order_key, kind, status, payment_method_key, customer_key, channel_key, payment_date_key, occurred_at, amount, currency,
  is_test, is_future, source_topic, source_partition, source_offset, source_index, event_id, store_id, content_hash, ingested_at)
SELECT 'y' || n, 'o' || n, pg_temp.h('o' || n), 'sale', 'paid', 0, pg_temp.h('c' || n * 31 % (:days * 200)), 0, pg_temp.day(at), at, 50, 'GBP', false, false,
  'payment', 0, n, 0, 'y' || n, 'shop', n, at + interval '1 second'
FROM (SELECT n, began.at + n / 300 * interval '1 day' + n % 300 * 280 * interval '1 second' AS at FROM began, generate_series(0::bigint, :days * 300 - 1) n) y ORDER BY at;
INSERT INTO ods.orders (order_key, order_id, store_id, customer_key, is_test, is_placeholder)
SELECT DISTINCT order_key, order_id, store_id, customer_key, false, true FROM dwh.fact_sales;
INSERT INTO ods.order_details
SELECT order_key, line_id, movement, product_key, currency, quantity, unit_price, gross_amount, discount_amount, tax_amount, shipping_amount, net_amount, moved_at
FROM dwh.fact_sales;

INSERT INTO kassa.positions SELECT topic, 0, :days * daily, now() FROM (VALUES ('event', 7500), ('order_line', 1500), ('payment', 300)) t (topic, daily);
INSERT INTO kassa.commits
SELECT topic, 0, n * daily / 20, (n + 1) * daily / 20, began.at + n * interval '1 day' / 20, ARRAY[pg_temp.day(began.at + n / 20 * interval '1 day')]
FROM began, (VALUES ('event', 7500), ('order_line', 1500), ('payment', 300)) t (topic, daily), generate_series(0, :days * 20 - 1) n;
