-- Payments with their amount in the shop's currency, exact. Null where no rate is known.
SELECT p.*, p.amount * r.rate AS amount_reporting, r.rate AS fx_rate
FROM fact_payment p
LEFT JOIN dim_fx_rate r ON r.currency = p.currency AND r.date_key = p.payment_date_key
