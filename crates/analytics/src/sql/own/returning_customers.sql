SELECT COUNT(DISTINCT c.customer_key) AS value
FROM customer_orders c JOIN (SELECT customer_key, MIN(day) AS day FROM customer_orders GROUP BY customer_key) f ON f.customer_key = c.customer_key
WHERE c.day > f.day
