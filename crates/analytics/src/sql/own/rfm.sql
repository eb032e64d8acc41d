, customers AS (SELECT customer_key, MAX(day) AS recency, COUNT(*) AS frequency FROM customer_orders GROUP BY customer_key),
money AS (SELECT customer_key, COALESCE(SUM(net_amount_reporting), 0) AS net FROM fact_sales_reporting WHERE NOT is_test GROUP BY customer_key),
scores AS (
  SELECT CAST(1 + 5 * (RANK() OVER (ORDER BY recency) - 1) / COUNT(*) OVER () AS BIGINT) AS r,
    CAST(1 + 5 * (RANK() OVER (ORDER BY frequency) - 1) / COUNT(*) OVER () AS BIGINT) AS f,
    CAST(1 + 5 * (RANK() OVER (ORDER BY net) - 1) / COUNT(*) OVER () AS BIGINT) AS m
  FROM customers c JOIN money n ON n.customer_key = c.customer_key)
SELECT 'R' || CAST(r AS VARCHAR) || 'F' || CAST(f AS VARCHAR) || 'M' || CAST(m AS VARCHAR) AS key, COUNT(*) AS value FROM scores GROUP BY r, f, m
