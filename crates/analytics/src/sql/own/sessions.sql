SELECT COUNT(*) AS value FROM (SELECT DISTINCT session_key, visit FROM visits) s
