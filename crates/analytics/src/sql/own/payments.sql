WITH moved AS (
  SELECT payment_id, store_id, kind, NULLIF(parent_id, '') AS parent_id, amount_reporting AS amount FROM fact_payment_reporting
  WHERE NOT is_test AND kind IN ('sale', 'capture', 'refund', 'chargeback')
    AND COALESCE(LOWER(status), 'success') IN ('success', 'succeeded', 'paid', 'captured', 'completed'))
SELECT COALESCE(SUM(CASE WHEN kind IN ('refund', 'chargeback') THEN -ABS(amount) ELSE amount END), 0) AS value
FROM moved m
WHERE kind <> 'capture' OR NOT EXISTS (
  SELECT 1 FROM moved s WHERE s.kind = 'sale' AND s.store_id = m.store_id AND s.payment_id = m.parent_id)
