WITH customer_orders AS (
  SELECT c.customer_key, c.order_key, o.day
  FROM (SELECT DISTINCT customer_key, order_key FROM fact_sales WHERE movement = 'sale' AND NOT is_test AND customer_key <> 0) c
  JOIN (SELECT order_key, MIN(order_date_key) AS day FROM fact_sales WHERE movement = 'sale' AND NOT is_test GROUP BY order_key) o
  ON o.order_key = c.order_key)
