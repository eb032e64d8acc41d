, months AS (SELECT DISTINCT customer_key, day / 10000 * 12 + day / 100 % 100 - 1 AS month FROM customer_orders),
firsts AS (SELECT customer_key, MIN(month) AS cohort FROM months GROUP BY customer_key),
sizes AS (SELECT cohort, COUNT(*) AS size FROM firsts GROUP BY cohort),
active AS (
  SELECT f.cohort, m.month - f.cohort AS since, COUNT(*) AS customers FROM months m JOIN firsts f ON f.customer_key = m.customer_key
  GROUP BY f.cohort, m.month - f.cohort),
cells AS (
  SELECT s.cohort, s.size, n.since FROM sizes s CROSS JOIN (SELECT MAX(month) AS last FROM months) l
  JOIN generate_series(0, 1199) AS n (since) ON n.since <= l.last - s.cohort)
SELECT LPAD(CAST(c.cohort / 12 AS VARCHAR), 4, '0') || '-' || LPAD(CAST(c.cohort % 12 + 1 AS VARCHAR), 2, '0') || '+' || CAST(c.since AS VARCHAR) AS key,
  CAST(CAST(COALESCE(a.customers, 0) AS DECIMAL(38, 15)) / c.size AS DECIMAL(38, 15)) AS value
FROM cells c LEFT JOIN active a ON a.cohort = c.cohort AND a.since = c.since
