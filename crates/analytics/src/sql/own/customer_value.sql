SELECT CASE WHEN COUNT(DISTINCT customer_key) > 0 THEN
  CAST(CAST(COALESCE(SUM(net_amount_reporting), 0) AS DECIMAL(38, 15)) / COUNT(DISTINCT customer_key) AS DECIMAL(38, 15)) END AS value
FROM fact_sales_reporting WHERE customer_key <> 0 AND NOT is_test
