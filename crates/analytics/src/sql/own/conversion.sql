SELECT CASE WHEN COUNT(*) > 0 THEN CAST(CAST(SUM(converted) AS DECIMAL(38, 15)) / COUNT(*) AS DECIMAL(38, 15)) END AS value
FROM (SELECT MAX(CASE WHEN type = 'order_completed' THEN 1 ELSE 0 END) AS converted FROM visits GROUP BY session_key, visit) s
