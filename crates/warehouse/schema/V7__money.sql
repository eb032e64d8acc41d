-- Money is converted when it is read. Facts keep the amounts of their own currency. dwh.dim_fx_rate has the rate of each currency and day
-- once, and the views multiply: exactly, as NUMERIC does, and without rounding.

-- Columns of two views get another type, and PostgreSQL replaces a view in place only without that. So they are dropped and created again, as are the views that
-- users made over them; rights, owners, options and comments stay. A user's view that needs a dropped column of a table, and a materialized view, make the migration fail:
-- drop it before, and create it again over the views below.
CREATE TABLE kassa.kept_views AS
WITH RECURSIVE over AS (
  SELECT unnest(ARRAY['dwh.sales_flat', 'dwh.fact_order_current'])::regclass::oid AS oid, 0 AS depth
  UNION SELECT r.ev_class, over.depth + 1
  FROM over
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = over.oid AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> over.oid)
SELECT depth, format('%I.%I', n.nspname, c.relname) AS name, pg_get_viewdef(c.oid) AS definition, pg_get_userbyid(c.relowner) AS owner,
  coalesce('WITH (' || array_to_string(c.reloptions, ', ') || ')', '') AS options, obj_description(c.oid, 'pg_class') AS comment, c.relacl AS acl
FROM (SELECT oid, max(depth) AS depth FROM over GROUP BY oid) views JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v';
DO $do$
DECLARE name text;
BEGIN
  FOR name IN SELECT v.name FROM kassa.kept_views v ORDER BY depth DESC LOOP
    EXECUTE format('DROP VIEW %s', name);
  END LOOP;
END $do$;

ALTER TABLE dwh.fact_sales
  DROP COLUMN gross_amount_reporting, DROP COLUMN discount_amount_reporting, DROP COLUMN tax_amount_reporting,
  DROP COLUMN shipping_amount_reporting, DROP COLUMN net_amount_reporting, DROP COLUMN fx_rate;
ALTER TABLE dwh.fact_order DROP COLUMN fx_rate, DROP COLUMN duty_reporting;
ALTER TABLE dwh.fact_payment DROP COLUMN amount_reporting, DROP COLUMN fx_rate;
ALTER TABLE dwh.agg_sales_daily DROP COLUMN net_amount_reporting, DROP COLUMN unconverted;

-- The next refresh makes it again.
DELETE FROM dwh.fact_session;
DELETE FROM kassa.derived WHERE table_name = 'fact_session';
ALTER TABLE dwh.fact_session ALTER COLUMN revenue_reporting TYPE numeric(38,15);

-- Derived from dwh.fact_fx_rate by the refresh of the derived tables.
CREATE TABLE dwh.dim_fx_rate (
  currency text NOT NULL, date_key integer NOT NULL, rate numeric(18,9) NOT NULL, derivation text NOT NULL, via text,
  rate_date_key integer NOT NULL, PRIMARY KEY (date_key, currency));

-- The facts with their amounts in the shop's currency; NULL where no rate is known.
CREATE VIEW dwh.fact_sales_reporting AS
SELECT
  s.order_id, s.line_id, s.movement, s.order_key, s.order_date_key, s.movement_date_key, s.ordered_at, s.moved_at, s.customer_key, s.product_key,
  s.channel_key, s.promotion_key, s.ship_address_key, s.ship_country_key, s.currency, s.quantity, s.unit_price, s.gross_amount, s.discount_amount,
  s.tax_amount, s.shipping_amount, s.net_amount, s.gross_amount * r.rate AS gross_amount_reporting,
  s.discount_amount * r.rate AS discount_amount_reporting, s.tax_amount * r.rate AS tax_amount_reporting,
  s.shipping_amount * r.rate AS shipping_amount_reporting, s.net_amount * r.rate AS net_amount_reporting, r.rate AS fx_rate, s.is_test,
  s.is_gift_card, s.is_future, s.session_id, s.extra, s.source_topic, s.source_partition, s.source_offset, s.source_index, s.event_id, s.source,
  s.store_id, s.content_hash, s.ingested_at, s.list_price
FROM dwh.fact_sales s
LEFT JOIN dwh.dim_fx_rate r ON r.currency = s.currency AND r.date_key = s.movement_date_key;

CREATE VIEW dwh.fact_order_reporting AS
SELECT
  o.order_id, o.order_key, o.revision, o.order_date_key, o.status, o.financial_status, o.fulfilment_status, o.occurred_at, o.placed_at,
  o.processed_at, o.paid_at, o.cancelled_at, o.closed_at, o.cancel_reason, o.customer_key, o.channel_key, o.promotion_key, o.billing_address_key,
  o.ship_address_key, o.ship_country_key, o.currency, o.shop_currency, o.tax_included, o.subtotal, o.discount, o.tax, o.shipping, o.duty, o.tip,
  o.gift_card, o.total, r.rate AS fx_rate, o.duty * r.rate AS duty_reporting, o.coupons, o.attribution, o.is_test, o.is_future, o.lines_differ,
  o.session_id, o.extra, o.source_topic, o.source_partition, o.source_offset, o.source_index, o.event_id, o.source, o.store_id, o.content_hash,
  o.ingested_at
FROM dwh.fact_order o
LEFT JOIN dwh.dim_fx_rate r ON r.currency = o.currency AND r.date_key = o.order_date_key;

CREATE VIEW dwh.fact_payment_reporting AS
SELECT
  p.payment_id, p.order_id, p.order_key, p.kind, p.parent_id, p.status, p.gateway, p.payment_method_key, p.customer_key, p.channel_key,
  p.payment_date_key, p.occurred_at, p.amount, p.currency, p.amount * r.rate AS amount_reporting, r.rate AS fx_rate, p.instalments, p.sequence,
  p.is_test, p.is_future, p.extra, p.source_topic, p.source_partition, p.source_offset, p.source_index, p.event_id, p.source, p.store_id,
  p.content_hash, p.ingested_at
FROM dwh.fact_payment p
LEFT JOIN dwh.dim_fx_rate r ON r.currency = p.currency AND r.date_key = p.payment_date_key;

-- One row an order: the highest revision, not the latest arrival.
CREATE VIEW dwh.fact_order_current AS
SELECT DISTINCT ON (order_key)
  order_id, order_key, revision, order_date_key, status, financial_status, fulfilment_status, occurred_at, placed_at, processed_at, paid_at,
  cancelled_at, closed_at, cancel_reason, customer_key, channel_key, promotion_key, billing_address_key, ship_address_key, ship_country_key, currency,
  shop_currency, tax_included, subtotal, discount, tax, shipping, duty, tip, gift_card, total, fx_rate, duty_reporting, coupons, attribution, is_test,
  is_future, lines_differ, session_id, extra, source_topic, source_partition, source_offset, source_index, event_id, source, store_id, content_hash,
  ingested_at
FROM dwh.fact_order_reporting
ORDER BY order_key, revision DESC, source_offset DESC;

-- The ledger with the names of everything that it refers to: for people and BI tools.
CREATE VIEW dwh.sales_flat AS
SELECT
  s.order_id, s.line_id, s.movement, s.order_key, s.order_date_key, s.movement_date_key, s.ordered_at, s.moved_at, s.customer_key, s.product_key,
  s.channel_key, s.promotion_key, s.ship_address_key, s.ship_country_key, s.currency, s.quantity, s.unit_price, s.gross_amount, s.discount_amount,
  s.tax_amount, s.shipping_amount, s.net_amount, s.gross_amount_reporting, s.discount_amount_reporting, s.tax_amount_reporting,
  s.shipping_amount_reporting, s.net_amount_reporting, s.fx_rate, s.is_test, s.is_gift_card, s.is_future, s.session_id, s.extra, s.source_topic,
  s.source_partition, s.source_offset, s.source_index, s.event_id, s.source, s.store_id, s.content_hash, s.ingested_at,
  c.customer_id, c.segment AS customer_segment, p.product_id, p.sku, p.name AS product_name, p.brand,
  g.name AS category, g.path AS category_path, split_part(g.path, ' > ', 1) AS top_category,
  n.code AS country, n.name AS country_name, t.name AS city, a.postcode, h.name AS channel, m.code AS promotion, s.list_price
FROM dwh.fact_sales_reporting s
LEFT JOIN dwh.dim_customer_current c ON c.customer_key = s.customer_key
LEFT JOIN dwh.dim_product_current p ON p.product_key = s.product_key
LEFT JOIN dwh.dim_category g ON g.category_key = p.category_key
LEFT JOIN dwh.dim_country n ON n.country_key = s.ship_country_key
LEFT JOIN dwh.dim_address a ON a.address_key = s.ship_address_key
LEFT JOIN dwh.dim_city t ON t.city_key = a.city_key
LEFT JOIN dwh.dim_channel h ON h.channel_key = s.channel_key
LEFT JOIN dwh.dim_promotion m ON m.promotion_key = s.promotion_key;

-- The sums by day with net sales in the shop's currency, and the lines that have no rate.
CREATE VIEW dwh.agg_sales_daily_reporting AS
SELECT
  d.movement_date_key, d.movement, d.currency, d.ship_country_key, d.channel_key, d.is_test, d.lines, d.quantity, d.gross_amount,
  d.discount_amount, d.tax_amount, d.shipping_amount, d.net_amount, coalesce(d.net_amount * r.rate, 0) AS net_amount_reporting,
  CASE WHEN r.rate IS NULL THEN d.lines ELSE 0 END AS unconverted
FROM dwh.agg_sales_daily d
LEFT JOIN dwh.dim_fx_rate r ON r.currency = d.currency AND r.date_key = d.movement_date_key;

DO $do$
DECLARE kept record; given record;
BEGIN
  FOR kept IN SELECT * FROM kassa.kept_views ORDER BY depth LOOP
    IF kept.depth > 0 THEN
      EXECUTE format('CREATE VIEW %s %s AS %s', kept.name, kept.options, kept.definition);
    END IF;
    IF kept.owner <> current_user THEN
      EXECUTE format('ALTER VIEW %s OWNER TO %I', kept.name, kept.owner);
    END IF;
    EXECUTE format('COMMENT ON VIEW %s IS %L', kept.name, kept.comment);
    FOR given IN SELECT * FROM aclexplode(kept.acl) LOOP
      EXECUTE format('GRANT %s ON %s TO %s %s', given.privilege_type, kept.name,
        CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END,
        CASE WHEN given.is_grantable THEN 'WITH GRANT OPTION' ELSE '' END);
    END LOOP;
  END LOOP;
END $do$;
DROP TABLE kassa.kept_views;
