-- The ledger with its amounts in the shop's currency, exact: nothing is rounded. Null where no rate is known.
SELECT s.*, s.gross_amount * r.rate AS gross_amount_reporting, s.discount_amount * r.rate AS discount_amount_reporting,
  s.tax_amount * r.rate AS tax_amount_reporting, s.shipping_amount * r.rate AS shipping_amount_reporting,
  s.net_amount * r.rate AS net_amount_reporting, r.rate AS fx_rate
FROM fact_sales s
LEFT JOIN dim_fx_rate r ON r.currency = s.currency AND r.date_key = s.movement_date_key
