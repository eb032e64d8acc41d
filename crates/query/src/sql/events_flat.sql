-- Behaviour with the names of everything it points to.
SELECT e.*, c.customer_id, p.product_id, p.name AS product_name, g.path AS category_path, n.code AS country, h.name AS channel
FROM fact_event e
LEFT JOIN dim_customer_current c ON c.customer_key = e.customer_key
LEFT JOIN dim_product_current p ON p.product_key = e.product_key
LEFT JOIN (SELECT DISTINCT category_key, path FROM dim_category) g ON g.category_key = p.category_key
LEFT JOIN (SELECT DISTINCT country_key, code FROM dim_country) n ON n.country_key = e.country_key
LEFT JOIN (SELECT DISTINCT channel_key, name FROM dim_channel) h ON h.channel_key = e.channel_key
