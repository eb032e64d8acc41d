-- Orders with their duty in the shop's currency, exact. Null where no rate is known.
SELECT o.*, r.rate AS fx_rate, o.duty * r.rate AS duty_reporting
FROM fact_order o
LEFT JOIN dim_fx_rate r ON r.currency = o.currency AND r.date_key = o.order_date_key
