WITH marked AS (
  SELECT session_key, occurred_at, type, CASE WHEN occurred_at < LAG(occurred_at) OVER (PARTITION BY session_key ORDER BY occurred_at)
    + INTERVAL '30 minutes' THEN 0 ELSE 1 END AS begins
  FROM fact_event WHERE NOT is_test AND NOT is_bot AND session_key <> 0),
visits AS (
  SELECT session_key, SUM(begins) OVER (PARTITION BY session_key ORDER BY occurred_at) AS visit, occurred_at, type FROM marked)
