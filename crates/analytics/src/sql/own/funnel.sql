, viewed AS (SELECT session_key, visit, MIN(occurred_at) AS at FROM visits WHERE type = 'product_viewed' GROUP BY session_key, visit),
added AS (
  SELECT v.session_key, v.visit, MIN(v.occurred_at) AS at FROM visits v JOIN viewed b ON b.session_key = v.session_key AND b.visit = v.visit
  WHERE v.type = 'product_added' AND v.occurred_at >= b.at GROUP BY v.session_key, v.visit),
checkout AS (
  SELECT v.session_key, v.visit, MIN(v.occurred_at) AS at FROM visits v JOIN added b ON b.session_key = v.session_key AND b.visit = v.visit
  WHERE v.type = 'checkout_started' AND v.occurred_at >= b.at GROUP BY v.session_key, v.visit),
paid AS (
  SELECT v.session_key, v.visit, MIN(v.occurred_at) AS at FROM visits v JOIN checkout b ON b.session_key = v.session_key AND b.visit = v.visit
  WHERE v.type = 'order_completed' AND v.occurred_at >= b.at GROUP BY v.session_key, v.visit)
SELECT 'viewed' AS key, COUNT(*) AS value FROM viewed UNION ALL SELECT 'added', COUNT(*) FROM added
UNION ALL SELECT 'checkout', COUNT(*) FROM checkout UNION ALL SELECT 'paid', COUNT(*) FROM paid
