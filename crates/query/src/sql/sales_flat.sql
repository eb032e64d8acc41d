-- The ledger with the names of everything it points to: for people and BI tools.
SELECT s.*, c.customer_id, c.segment AS customer_segment, p.product_id, p.sku, p.name AS product_name, p.brand,
  g.name AS category, g.path AS category_path, split_part(g.path, ' > ', 1) AS top_category,
  n.code AS country, n.name AS country_name, t.name AS city, a.postcode, h.name AS channel, m.code AS promotion
FROM fact_sales_reporting s
LEFT JOIN dim_customer_current c ON c.customer_key = s.customer_key
LEFT JOIN dim_product_current p ON p.product_key = s.product_key
LEFT JOIN (SELECT DISTINCT category_key, name, path FROM dim_category) g ON g.category_key = p.category_key
LEFT JOIN (SELECT DISTINCT country_key, code, name FROM dim_country) n ON n.country_key = s.ship_country_key
LEFT JOIN (SELECT DISTINCT address_key, postcode, city_key FROM dim_address) a ON a.address_key = s.ship_address_key
LEFT JOIN (SELECT DISTINCT city_key, name FROM dim_city) t ON t.city_key = a.city_key
LEFT JOIN (SELECT DISTINCT channel_key, name FROM dim_channel) h ON h.channel_key = s.channel_key
LEFT JOIN (SELECT DISTINCT promotion_key, code FROM dim_promotion) m ON m.promotion_key = s.promotion_key
