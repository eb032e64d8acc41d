-- The list price of an order line. Rows from before have none. The view gets it as its last column: PostgreSQL replaces a view in place, with the
-- rights that were granted on it, only if the columns that it has stay where they are.
ALTER TABLE dwh.fact_sales ADD COLUMN list_price numeric(18,6);

CREATE OR REPLACE VIEW dwh.sales_flat AS
SELECT
  s.order_id, s.line_id, s.movement, s.order_key, s.order_date_key, s.movement_date_key, s.ordered_at, s.moved_at, s.customer_key, s.product_key,
  s.channel_key, s.promotion_key, s.ship_address_key, s.ship_country_key, s.currency, s.quantity, s.unit_price, s.gross_amount, s.discount_amount,
  s.tax_amount, s.shipping_amount, s.net_amount, s.gross_amount_reporting, s.discount_amount_reporting, s.tax_amount_reporting,
  s.shipping_amount_reporting, s.net_amount_reporting, s.fx_rate, s.is_test, s.is_gift_card, s.is_future, s.session_id, s.extra, s.source_topic,
  s.source_partition, s.source_offset, s.source_index, s.event_id, s.source, s.store_id, s.content_hash, s.ingested_at,
  c.customer_id, c.segment AS customer_segment, p.product_id, p.sku, p.name AS product_name, p.brand,
  g.name AS category, g.path AS category_path, split_part(g.path, ' > ', 1) AS top_category,
  n.code AS country, n.name AS country_name, t.name AS city, a.postcode, h.name AS channel, m.code AS promotion, s.list_price
FROM dwh.fact_sales s
LEFT JOIN dwh.dim_customer_current c ON c.customer_key = s.customer_key
LEFT JOIN dwh.dim_product_current p ON p.product_key = s.product_key
LEFT JOIN dwh.dim_category g ON g.category_key = p.category_key
LEFT JOIN dwh.dim_country n ON n.country_key = s.ship_country_key
LEFT JOIN dwh.dim_address a ON a.address_key = s.ship_address_key
LEFT JOIN dwh.dim_city t ON t.city_key = a.city_key
LEFT JOIN dwh.dim_channel h ON h.channel_key = s.channel_key
LEFT JOIN dwh.dim_promotion m ON m.promotion_key = s.promotion_key;
