-- Closed ranges: valid_from <= t < valid_to, in order of event time however the changes arrived.
SELECT v.*, lead(valid_from) OVER (PARTITION BY customer_key ORDER BY valid_from, source_offset) AS valid_to,
  lead(valid_from) OVER (PARTITION BY customer_key ORDER BY valid_from, source_offset) IS NULL AS is_current
FROM dim_customer v
WHERE NOT is_placeholder
