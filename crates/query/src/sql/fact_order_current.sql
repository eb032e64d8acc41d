-- One row an order: the highest revision, not the latest arrival.
SELECT * EXCLUDE (nth) FROM (
  SELECT *, row_number() OVER (PARTITION BY order_key ORDER BY revision DESC, source_offset DESC) AS nth FROM fact_order_reporting)
WHERE nth = 1
