, added AS (SELECT session_key, visit, MIN(occurred_at) AS at FROM visits WHERE type = 'product_added' GROUP BY session_key, visit)
SELECT COUNT(*) AS value FROM added a WHERE NOT EXISTS (
  SELECT 1 FROM visits v WHERE v.session_key = a.session_key AND v.visit = a.visit AND v.type = 'order_completed'
    AND v.occurred_at >= a.at AND v.occurred_at <= a.at + INTERVAL '24 hours')
