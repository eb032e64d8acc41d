-- The views of `kassa sql`, by the same names and with the same columns.

-- One row a key: master data before placeholders, then the latest version.
CREATE VIEW dwh.dim_customer_current AS
SELECT DISTINCT ON (customer_key)
  customer_key, customer_id, segment, consent, home_city_key, valid_from, is_placeholder, extra, source_topic, source_partition, source_offset,
  source_index, event_id, source, store_id, content_hash, ingested_at
FROM dwh.dim_customer
ORDER BY customer_key, is_placeholder, valid_from DESC, source_topic DESC, source_partition DESC, source_offset DESC, source_index DESC;

-- Closed ranges: valid_from <= t < valid_to, in order of event time however the changes arrived.
CREATE VIEW dwh.dim_customer_history AS
SELECT
  v.customer_key, v.customer_id, v.segment, v.consent, v.home_city_key, v.valid_from, v.is_placeholder, v.extra, v.source_topic, v.source_partition,
  v.source_offset, v.source_index, v.event_id, v.source, v.store_id, v.content_hash, v.ingested_at,
  lead(valid_from) OVER (PARTITION BY customer_key ORDER BY valid_from, source_offset) AS valid_to,
  lead(valid_from) OVER (PARTITION BY customer_key ORDER BY valid_from, source_offset) IS NULL AS is_current
FROM dwh.dim_customer v
WHERE NOT is_placeholder;

-- One row a key: master data before placeholders, then the latest version.
CREATE VIEW dwh.dim_product_current AS
SELECT DISTINCT ON (product_key)
  product_key, product_id, variant_id, sku, name, brand, category_key, price, cost, currency, status, valid_from, is_placeholder, extra, source_topic,
  source_partition, source_offset, source_index, event_id, source, store_id, content_hash, ingested_at
FROM dwh.dim_product
ORDER BY product_key, is_placeholder, valid_from DESC, source_topic DESC, source_partition DESC, source_offset DESC, source_index DESC;

-- Closed ranges: valid_from <= t < valid_to, in order of event time however the changes arrived.
CREATE VIEW dwh.dim_product_history AS
SELECT
  v.product_key, v.product_id, v.variant_id, v.sku, v.name, v.brand, v.category_key, v.price, v.cost, v.currency, v.status, v.valid_from,
  v.is_placeholder, v.extra, v.source_topic, v.source_partition, v.source_offset, v.source_index, v.event_id, v.source, v.store_id, v.content_hash,
  v.ingested_at,
  lead(valid_from) OVER (PARTITION BY product_key ORDER BY valid_from, source_offset) AS valid_to,
  lead(valid_from) OVER (PARTITION BY product_key ORDER BY valid_from, source_offset) IS NULL AS is_current
FROM dwh.dim_product v
WHERE NOT is_placeholder;

-- One row an order: the highest revision, not the latest arrival.
CREATE VIEW dwh.fact_order_current AS
SELECT DISTINCT ON (order_key)
  order_id, order_key, revision, order_date_key, status, financial_status, fulfilment_status, occurred_at, placed_at, processed_at, paid_at,
  cancelled_at, closed_at, cancel_reason, customer_key, channel_key, promotion_key, billing_address_key, ship_address_key, ship_country_key, currency,
  shop_currency, tax_included, subtotal, discount, tax, shipping, duty, tip, gift_card, total, fx_rate, duty_reporting, coupons, attribution, is_test,
  is_future, lines_differ, session_id, extra, source_topic, source_partition, source_offset, source_index, event_id, source, store_id, content_hash,
  ingested_at
FROM dwh.fact_order
ORDER BY order_key, revision DESC, source_offset DESC;

-- The ledger with the names of everything it points to: for people and BI tools.
CREATE VIEW dwh.sales_flat AS
SELECT
  s.order_id, s.line_id, s.movement, s.order_key, s.order_date_key, s.movement_date_key, s.ordered_at, s.moved_at, s.customer_key, s.product_key,
  s.channel_key, s.promotion_key, s.ship_address_key, s.ship_country_key, s.currency, s.quantity, s.unit_price, s.gross_amount, s.discount_amount,
  s.tax_amount, s.shipping_amount, s.net_amount, s.gross_amount_reporting, s.discount_amount_reporting, s.tax_amount_reporting,
  s.shipping_amount_reporting, s.net_amount_reporting, s.fx_rate, s.is_test, s.is_gift_card, s.is_future, s.session_id, s.extra, s.source_topic,
  s.source_partition, s.source_offset, s.source_index, s.event_id, s.source, s.store_id, s.content_hash, s.ingested_at,
  c.customer_id, c.segment AS customer_segment, p.product_id, p.sku, p.name AS product_name, p.brand,
  g.name AS category, g.path AS category_path, split_part(g.path, ' > ', 1) AS top_category,
  n.code AS country, n.name AS country_name, t.name AS city, a.postcode, h.name AS channel, m.code AS promotion
FROM dwh.fact_sales s
LEFT JOIN dwh.dim_customer_current c ON c.customer_key = s.customer_key
LEFT JOIN dwh.dim_product_current p ON p.product_key = s.product_key
LEFT JOIN dwh.dim_category g ON g.category_key = p.category_key
LEFT JOIN dwh.dim_country n ON n.country_key = s.ship_country_key
LEFT JOIN dwh.dim_address a ON a.address_key = s.ship_address_key
LEFT JOIN dwh.dim_city t ON t.city_key = a.city_key
LEFT JOIN dwh.dim_channel h ON h.channel_key = s.channel_key
LEFT JOIN dwh.dim_promotion m ON m.promotion_key = s.promotion_key;

-- Behaviour with the names of everything it points to.
CREATE VIEW dwh.events_flat AS
SELECT
  e.type, e.custom_type, e.event_date_key, e.occurred_at, e.customer_key, e.person_key, e.session_key, e.session_id, e.anonymous_id, e.product_key,
  e.channel_key, e.country_key, e.quantity, e.price, e.currency, e.url, e.referrer, e.utm_source, e.utm_medium, e.utm_campaign, e.utm_term,
  e.utm_content, e.device, e.search_query, e.list_id, e.position, e.cart_id, e.checkout_id, e.order_id, e.order_key, e.is_test, e.is_bot, e.is_future,
  e.extra, e.source_topic, e.source_partition, e.source_offset, e.source_index, e.event_id, e.source, e.store_id, e.content_hash, e.ingested_at,
  c.customer_id, p.product_id, p.name AS product_name, g.path AS category_path, n.code AS country, h.name AS channel
FROM dwh.fact_event e
LEFT JOIN dwh.dim_customer_current c ON c.customer_key = e.customer_key
LEFT JOIN dwh.dim_product_current p ON p.product_key = e.product_key
LEFT JOIN dwh.dim_category g ON g.category_key = p.category_key
LEFT JOIN dwh.dim_country n ON n.country_key = e.country_key
LEFT JOIN dwh.dim_channel h ON h.channel_key = e.channel_key;

-- Dead letters and spans, where the lake has them too.
CREATE VIEW dwh.rejected AS
SELECT
  topic, partition, "offset", source_index, timestamp, key, headers, schema_id, value, stream, contract, reason, field, detail, rejected_at,
  replayed_at
FROM kassa.dead_letters;

CREATE VIEW dwh.spans AS
SELECT topic, partition, from_offset, to_offset, read, accepted, duplicates, dead_letters, gap, committed_at
FROM kassa.spans;

-- The figures, computed by kassa itself, whose definitions are the only ones; as of the positions in kassa.derived.
CREATE TABLE dwh.figures (
  figure text NOT NULL, basis text, by text NOT NULL, key text NOT NULL, label text NOT NULL, value text);
CREATE INDEX ON dwh.figures (figure);
CREATE VIEW dwh.net_sales AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'net_sales';
CREATE VIEW dwh.gross_sales AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'gross_sales';
CREATE VIEW dwh.discounts AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'discounts';
CREATE VIEW dwh.returns AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'returns';
CREATE VIEW dwh.adjustments AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'adjustments';
CREATE VIEW dwh.total_sales AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'total_sales';
CREATE VIEW dwh.orders AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'orders';
CREATE VIEW dwh.aov AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'aov';
CREATE VIEW dwh.units AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'units';
CREATE VIEW dwh.active_customers AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'active_customers';
CREATE VIEW dwh.sessions AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'sessions';
CREATE VIEW dwh.conversion AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'conversion';
CREATE VIEW dwh.funnel AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'funnel';
CREATE VIEW dwh.abandoned_carts AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'abandoned_carts';
CREATE VIEW dwh.new_customers AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'new_customers';
CREATE VIEW dwh.returning_customers AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'returning_customers';
CREATE VIEW dwh.cohort_retention AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'cohort_retention';
CREATE VIEW dwh.repeat_rate AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'repeat_rate';
CREATE VIEW dwh.customer_value AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'customer_value';
CREATE VIEW dwh.rfm AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'rfm';
CREATE VIEW dwh.return_rate AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'return_rate';
CREATE VIEW dwh.payments AS SELECT basis, by, key, label, value FROM dwh.figures WHERE figure = 'payments';
