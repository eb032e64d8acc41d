-- The figures as views: SQL of their own over the star, so that a refresh writes none of them and a query reads what it asks for. A test compares each of
-- them, on all bases and in all groupings, with the definition that the rest of kassa computes by.
--
-- `value` is a number; `unit` says of what: money (the shop's currency), count, quantity, ratio. Money is summed exactly and rounded once, half to even, to 6 places.
DROP VIEW dwh.net_sales, dwh.gross_sales, dwh.discounts, dwh.returns, dwh.adjustments, dwh.total_sales, dwh.orders, dwh.aov, dwh.units,
  dwh.active_customers, dwh.sessions, dwh.conversion, dwh.funnel, dwh.abandoned_carts, dwh.new_customers, dwh.returning_customers,
  dwh.cohort_retention, dwh.repeat_rate, dwh.customer_value, dwh.rfm, dwh.return_rate, dwh.payments;
DROP TABLE dwh.figures;
DELETE FROM kassa.derived WHERE table_name = 'figures';

-- What views need to know of the shop. Written by every refresh of the derived tables.
CREATE TABLE kassa.shop (zone text NOT NULL, is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only));
INSERT INTO kassa.shop (zone) VALUES ('UTC');

-- What a line is worth in the shop's currency, exactly. NULL: no rate is known, and sums leave it out. A query that asks for no money does not look for rates:
-- PostgreSQL removes the join.
CREATE VIEW kassa.ledger AS
SELECT order_key, movement, movement_date_key, order_date_key, moved_at, ordered_at, customer_key, product_key, ship_country_key AS country_key,
  channel_key, currency, quantity, gross_amount_reporting AS gross, discount_amount_reporting AS discount, tax_amount_reporting AS tax,
  shipping_amount_reporting AS shipping, net_amount_reporting AS net
FROM dwh.fact_sales_reporting WHERE NOT is_test;

-- The ledger by each of the days that a line can count on.
CREATE VIEW kassa.by_movement AS SELECT *, movement_date_key AS day, moved_at AS at FROM kassa.ledger;
CREATE VIEW kassa.by_order AS SELECT *, order_date_key AS day, ordered_at AS at FROM kassa.ledger;

-- Duty, which only the header of an order knows: that of the highest revision. On the day of the order on either basis.
CREATE VIEW kassa.duties AS
SELECT order_date_key AS day, placed_at AS at, customer_key, country_key, channel_key, currency, value FROM (
  SELECT DISTINCT ON (order_key) order_date_key, placed_at, customer_key, ship_country_key AS country_key, channel_key, currency, coalesce(duty, 0) AS duty,
    coalesce(duty_reporting, 0) AS value
  FROM dwh.fact_order_reporting WHERE NOT is_test
  ORDER BY order_key, revision DESC, placed_at DESC, coalesce(duty, 0) DESC) latest
WHERE duty <> 0;

-- Payments that moved money, each with its sign. A capture whose parent is a successful sale is no second money.
CREATE VIEW kassa.money AS
WITH moved AS (
  SELECT payment_id, store_id, kind, nullif(parent_id, '') AS parent_id, payment_date_key AS day, payment_method_key AS method_key, status, currency,
    coalesce(amount_reporting, 0) AS amount
  FROM dwh.fact_payment_reporting
  WHERE NOT is_test AND kind IN ('sale', 'capture', 'refund', 'chargeback')
    AND coalesce(lower(status), 'success') IN ('success', 'succeeded', 'paid', 'captured', 'completed'))
SELECT day, method_key, status, currency, CASE WHEN kind IN ('refund', 'chargeback') THEN -abs(amount) ELSE amount END AS value
FROM moved m
WHERE kind <> 'capture' OR parent_id IS NULL
  OR NOT EXISTS (SELECT FROM moved s WHERE s.kind = 'sale' AND s.store_id = m.store_id AND s.payment_id = m.parent_id);

-- Orders with a line sold, at the time of the first of them; with each of their customers that is known.
CREATE VIEW kassa.sold_orders AS
SELECT order_key, min(order_date_key) AS day, min(ordered_at) AS at FROM kassa.ledger WHERE movement = 'sale' GROUP BY order_key;
CREATE VIEW kassa.customer_orders AS
SELECT customer_key, order_key, day FROM (SELECT DISTINCT customer_key, order_key FROM kassa.ledger WHERE movement = 'sale' AND customer_key <> 0) c
JOIN kassa.sold_orders USING (order_key);
CREATE VIEW kassa.first_orders AS SELECT customer_key, min(day) AS day FROM kassa.customer_orders GROUP BY customer_key;
CREATE VIEW kassa.later_orders AS
SELECT c.customer_key, c.day FROM kassa.customer_orders c JOIN kassa.first_orders f USING (customer_key) WHERE c.day > f.day;

-- Who was active on which day: by customer where known, else by anonymous id.
CREATE VIEW kassa.persons AS
SELECT person, day FROM (
  SELECT CASE WHEN customer_key <> 0 THEN customer_key ELSE person_key END AS person, event_date_key AS day FROM dwh.fact_event WHERE NOT is_test AND NOT is_bot
  UNION SELECT customer_key, order_date_key FROM kassa.ledger WHERE movement = 'sale'
  UNION SELECT customer_key, order_date_key FROM dwh.fact_order WHERE NOT is_test) people
WHERE person <> 0;

-- Net sales with tax, shipping and duty.
CREATE VIEW kassa.total_by_movement AS
SELECT day, at, customer_key, country_key, channel_key, currency, net + tax + shipping AS value FROM kassa.by_movement
UNION ALL SELECT day, at, customer_key, country_key, channel_key, currency, value FROM kassa.duties;
CREATE VIEW kassa.total_by_order AS
SELECT day, at, customer_key, country_key, channel_key, currency, net + tax + shipping AS value FROM kassa.by_order
UNION ALL SELECT day, at, customer_key, country_key, channel_key, currency, value FROM kassa.duties;

CREATE VIEW kassa.sessions AS SELECT session_date_key AS day, started_at AS at, converted, abandoned FROM dwh.fact_session;

-- Keys and labels of members. A member without a row is unknown.
CREATE VIEW kassa.product_names AS
SELECT product_key AS member, product_id AS key, coalesce(nullif(name, ''), product_id) AS label FROM dwh.dim_product_current;
CREATE VIEW kassa.category_names AS
SELECT product_key AS member, btrim(split_part(path, '>', 1)) AS key, btrim(split_part(path, '>', 1)) AS label
FROM dwh.dim_product_current JOIN dwh.dim_category USING (category_key) WHERE btrim(split_part(path, '>', 1)) <> '';
CREATE VIEW kassa.country_names AS SELECT country_key AS member, code AS key, name AS label FROM dwh.dim_country;
CREATE VIEW kassa.customer_names AS SELECT customer_key AS member, min(customer_id COLLATE "C") COLLATE "default" AS key, min(customer_id COLLATE "C") COLLATE "default" AS label FROM dwh.dim_customer GROUP BY 1;
CREATE VIEW kassa.channel_names AS SELECT channel_key AS member, name AS key, name AS label FROM dwh.dim_channel;
CREATE VIEW kassa.method_names AS SELECT payment_method_key AS member, name AS key, name AS label FROM dwh.dim_payment_method;

-- part ÷ whole in millionths, rounded half to even; NULL where the whole is not positive.
CREATE FUNCTION kassa.over(part numeric, whole numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $fn$
  SELECT CASE WHEN whole > 0 THEN
    round((low + CASE WHEN 2 * (units - low * whole) > whole OR (2 * (units - low * whole) = whole AND low % 2 <> 0) THEN 1 ELSE 0 END) / 1000000, 6) END
  FROM (SELECT part * 1000000 AS units) s, LATERAL (SELECT CASE WHEN whole > 0 THEN div(units, whole) - CASE WHEN units < 0 AND units % whole <> 0 THEN 1 ELSE 0 END END AS low) l
$fn$;

-- The rows of one source by one grouping: sums of `value`, or (`is_distinct`) how many different values there are. `by` is a constant of the innermost query: a
-- condition on it spares all other branches of the view. A day's movements are looked up in the partition of that day alone.
CREATE FUNCTION kassa.grouped(grain text, source text, value text, filter text, is_distinct boolean) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
  local text := '(at AT TIME ZONE (SELECT zone FROM kassa.shop))';
  g text := CASE grain
    WHEN 'hour' THEN format($$date_trunc('hour', %s)$$, local)
    WHEN 'quarter_hour' THEN format($$date_trunc('hour', %1$s) + floor(extract(minute FROM %1$s) / 15) * interval '15 minutes'$$, local)
    WHEN 'day' THEN 'day'
    WHEN 'week' THEN $$date_trunc('week', to_date(day::text, 'YYYYMMDD'))$$
    WHEN 'month' THEN 'day / 100'
    WHEN 'category' THEN 'product_key'
    WHEN 'movement' THEN 'movement'
    WHEN 'currency' THEN $$coalesce(nullif(currency, ''), 'unknown')$$
    WHEN 'status' THEN $$coalesce(nullif(status, ''), 'unknown')$$
    ELSE grain || '_key' END;
  key text := CASE grain
    WHEN 'hour' THEN $$to_char(g, 'YYYY-MM-DD"T"HH24')$$
    WHEN 'quarter_hour' THEN $$to_char(g, 'YYYY-MM-DD"T"HH24:MI')$$
    WHEN 'day' THEN $$to_char(g, 'FM0000"-"00"-"00')$$
    WHEN 'week' THEN $$to_char(g, 'IYYY-"W"IW')$$
    WHEN 'month' THEN $$to_char(g, 'FM0000"-"00')$$
    WHEN 'movement' THEN 'g' WHEN 'currency' THEN 'g' WHEN 'status' THEN 'g' END;
  label text := CASE WHEN grain IN ('currency', 'status') THEN $$CASE g WHEN 'unknown' THEN 'Unknown' ELSE g END$$ ELSE key END;
  names text := '';
  result text := CASE WHEN is_distinct THEN 'count(DISTINCT value)::numeric' ELSE 'sum(value)' END;
BEGIN
  IF grain = 'total' THEN
    RETURN format($$SELECT by, 'total'::text AS key, 'total'::text AS label, %s AS value
      FROM (SELECT 'total'::text AS by, %s AS value UNION ALL SELECT 'total', %s FROM %s WHERE %s) t GROUP BY by$$,
      result, CASE WHEN is_distinct THEN 'NULL::bigint' ELSE '0::numeric' END, value, source, filter);
  ELSIF grain = 'day' AND source = 'kassa.by_movement' THEN
    RETURN format($$SELECT d.by, to_char(d.date, 'YYYY-MM-DD') AS key, to_char(d.date, 'YYYY-MM-DD') AS label, s.value
      FROM (SELECT 'day'::text AS by, date, date_key FROM dwh.dim_date) d,
      LATERAL (SELECT coalesce(sum(%s), 0) AS value FROM %s f WHERE f.day = d.date_key AND %s GROUP BY f.day) s$$, value, source, filter);
  ELSIF key IS NULL THEN
    key := format($$coalesce(n.key, '%snknown')$$, CASE grain WHEN 'category' THEN 'U' ELSE 'u' END);
    label := $$coalesce(n.label, 'Unknown')$$;
    names := format('LEFT JOIN kassa.%s_names n ON n.member = s.g', grain);
  END IF;
  RETURN format($$SELECT by, key, min(label COLLATE "C") COLLATE "default" AS label, %s AS value FROM (
      SELECT s.by, %s AS key, %s AS label, s.value FROM (SELECT %L::text AS by, %s AS g, %s AS value FROM %s WHERE %s GROUP BY 1, 2%s) s %s) t GROUP BY by, key$$,
    result, key, label, grain, g, CASE WHEN is_distinct THEN value ELSE format('coalesce(sum(%s), 0)', value) END, source, filter,
    CASE WHEN is_distinct THEN ', 3' ELSE '' END, names);
END $fn$;

-- A view of such rows; each part is (basis, source, value, filter, is_distinct, groupings). Money is rounded in the figures themselves, not in what they are made of.
CREATE FUNCTION kassa.make_figure(name text, unit text, VARIADIC parts text[]) RETURNS void LANGUAGE plpgsql AS $fn$
DECLARE branches text[] := '{}'; part text[]; grain text;
BEGIN
  FOR at IN 0 .. array_length(parts, 1) / 6 - 1 LOOP
    part := parts[at * 6 + 1 : at * 6 + 6];
    FOREACH grain IN ARRAY string_to_array(part[6], ' ') LOOP
      branches := branches || format('SELECT %L::text AS basis, by, key, label, value FROM (%s) b', part[1],
        kassa.grouped(grain, part[2], part[3], part[4], part[5]::boolean));
    END LOOP;
  END LOOP;
  EXECUTE format('CREATE VIEW %s AS SELECT basis, by, key, label, %s AS value, %L::text AS unit FROM (%s) f', name,
    CASE WHEN unit = 'money' AND name LIKE 'dwh.%' THEN 'kassa.over(value, 1)' ELSE 'value' END, unit, array_to_string(branches, ' UNION ALL '));
END $fn$;

DO $do$
DECLARE
  times text := 'total hour quarter_hour day week month';
  headed text := times || ' country customer channel currency';
  ordered text := headed || ' category product';
  ledger text := ordered || ' movement';
  days text := 'total day week month';
  figure record;
BEGIN
  FOR figure IN SELECT * FROM (VALUES
      ('net_sales', 'money', 'net', 'true'),
      ('gross_sales', 'money', 'gross', $$movement = 'sale'$$),
      ('discounts', 'money', 'discount', $$movement = 'sale'$$),
      ('returns', 'money', '-net', $$movement IN ('return', 'cancellation')$$),
      ('adjustments', 'money', 'net', $$movement = 'adjustment'$$),
      ('units', 'quantity', 'quantity', 'true')) f (name, unit, value, filter) LOOP
    PERFORM kassa.make_figure('dwh.' || figure.name, figure.unit, 'movement', 'kassa.by_movement', figure.value, figure.filter, 'false', ledger,
      'order', 'kassa.by_order', figure.value, figure.filter, 'false', ledger);
  END LOOP;
  PERFORM kassa.make_figure('dwh.total_sales', 'money', 'movement', 'kassa.total_by_movement', 'value', 'true', 'false', headed,
    'order', 'kassa.total_by_order', 'value', 'true', 'false', headed);
  PERFORM kassa.make_figure('dwh.orders', 'count', 'order', 'kassa.sold_orders', '1', 'true', 'false', times,
    'order', 'kassa.by_order', 'order_key', $$movement = 'sale'$$, 'true', 'country customer channel currency category product');
  PERFORM kassa.make_figure('kassa.sold', 'money', 'order', 'kassa.by_order', 'gross - discount', $$movement = 'sale'$$, 'false', ordered);
  PERFORM kassa.make_figure('kassa.sold_units', 'quantity', 'order', 'kassa.by_order', 'quantity', $$movement = 'sale'$$, 'false', ordered);
  PERFORM kassa.make_figure('kassa.returned_units', 'quantity', 'order', 'kassa.by_order', '-quantity', $$movement IN ('return', 'cancellation')$$, 'false',
    ordered);
  PERFORM kassa.make_figure('dwh.payments', 'money', NULL, 'kassa.money', 'value', 'true', 'false', days || ' method status currency');
  PERFORM kassa.make_figure('dwh.active_customers', 'count', NULL, 'kassa.persons', 'person', 'true', 'true', days);
  PERFORM kassa.make_figure('dwh.new_customers', 'count', 'order', 'kassa.first_orders', '1', 'true', 'false', days);
  PERFORM kassa.make_figure('dwh.returning_customers', 'count', 'order', 'kassa.later_orders', 'customer_key', 'true', 'true', days);
  PERFORM kassa.make_figure('dwh.sessions', 'count', NULL, 'kassa.sessions', '1', 'true', 'false', times);
  PERFORM kassa.make_figure('dwh.abandoned_carts', 'count', NULL, 'kassa.sessions', 'abandoned::integer', 'true', 'false', times);
  PERFORM kassa.make_figure('kassa.converted', 'count', NULL, 'kassa.sessions', 'converted::integer', 'true', 'false', times);
  PERFORM kassa.make_figure('kassa.customer_net', 'money', NULL, 'kassa.ledger', 'net', 'customer_key <> 0', 'false', 'customer');
END $do$;

-- Figures that divide one by another, by the keys of both.
CREATE VIEW dwh.aov AS
SELECT 'order'::text AS basis, by, key, min(label COLLATE "C") COLLATE "default" AS label, kassa.over(sum(part), sum(whole)) AS value, 'money'::text AS unit
FROM (SELECT by, key, label, value AS part, 0::numeric AS whole FROM kassa.sold UNION ALL SELECT by, key, label, 0::numeric, value FROM dwh.orders) f GROUP BY by, key;
CREATE VIEW dwh.return_rate AS
SELECT 'order'::text AS basis, by, key, min(label COLLATE "C") COLLATE "default" AS label, kassa.over(sum(part), sum(whole)) AS value, 'ratio'::text AS unit
FROM (SELECT by, key, label, value AS part, 0::numeric AS whole FROM kassa.returned_units UNION ALL SELECT by, key, label, 0::numeric, value FROM kassa.sold_units) f
GROUP BY by, key;
CREATE VIEW dwh.conversion AS
SELECT NULL::text AS basis, by, key, min(label COLLATE "C") COLLATE "default" AS label, kassa.over(sum(part), sum(whole)) AS value, 'ratio'::text AS unit
FROM (SELECT by, key, label, value AS part, 0::numeric AS whole FROM kassa.converted UNION ALL SELECT by, key, label, 0::numeric, value FROM dwh.sessions) f
GROUP BY by, key;

CREATE VIEW dwh.funnel AS
SELECT NULL::text AS basis, 'step'::text AS by, step.key, step.key AS label, step.value::numeric AS value, 'count'::text AS unit
FROM (SELECT count(*) FILTER (WHERE viewed) AS viewed, count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE checkout) AS checkout,
  count(*) FILTER (WHERE paid) AS paid FROM dwh.fact_session) s,
  LATERAL (VALUES ('viewed'::text, viewed), ('added', added), ('checkout', checkout), ('paid', paid)) step (key, value);

-- Months are counted from year 0.
CREATE VIEW dwh.cohort_retention AS
WITH orders AS (SELECT DISTINCT customer_key, day / 10000 * 12 + day / 100 % 100 - 1 AS month FROM kassa.customer_orders),
  firsts AS (SELECT customer_key, min(month) AS cohort FROM orders GROUP BY customer_key),
  sizes AS (SELECT cohort, count(*) AS size FROM firsts GROUP BY cohort),
  active AS (SELECT cohort, month - cohort AS since, count(*) AS customers FROM orders JOIN firsts USING (customer_key) GROUP BY 1, 2),
  cells AS (
    SELECT cohort, since, to_char(cohort / 12, 'FM0000') || '-' || to_char(cohort % 12 + 1, 'FM00') || '+' || since AS key, size
    FROM sizes, LATERAL generate_series(0, (SELECT max(month) FROM orders) - cohort) AS since)
SELECT 'order'::text AS basis, 'cohort'::text AS by, key, key AS label, kassa.over(coalesce(customers, 0), size) AS value, 'ratio'::text AS unit
FROM cells LEFT JOIN active USING (cohort, since);

CREATE VIEW dwh.repeat_rate AS
SELECT 'order'::text AS basis, 'total'::text AS by, 'total'::text AS key, 'total'::text AS label, kassa.over(count(*) FILTER (WHERE orders > 1), count(*)) AS value,
  'ratio'::text AS unit
FROM (SELECT count(*) AS orders FROM kassa.customer_orders GROUP BY customer_key) c;

CREATE VIEW dwh.customer_value AS
SELECT basis, by, key, label, value, 'money'::text AS unit FROM (
  SELECT by, key, label, kassa.over(value, 1) AS value FROM kassa.customer_net
  UNION ALL SELECT 'total', 'total', 'total', kassa.over(coalesce(sum(net), 0), count(DISTINCT customer_key)) FROM kassa.ledger WHERE customer_key <> 0) f,
  (VALUES ('movement'::text), ('order')) b (basis);

-- Quintiles: 1 + ⌊5 × customers strictly below ÷ customers⌋.
CREATE VIEW dwh.rfm AS
WITH customers AS (SELECT customer_key, max(day) AS recency, count(*) AS frequency FROM kassa.customer_orders GROUP BY customer_key),
  money AS (SELECT customer_key, coalesce(sum(net), 0) AS net FROM kassa.ledger GROUP BY customer_key),
  scores AS (
    SELECT customer_key, 1 + 5 * (rank() OVER (ORDER BY recency) - 1) / count(*) OVER () AS r,
      1 + 5 * (rank() OVER (ORDER BY frequency) - 1) / count(*) OVER () AS f, 1 + 5 * (rank() OVER (ORDER BY net) - 1) / count(*) OVER () AS m
    FROM customers JOIN money USING (customer_key))
SELECT basis, by, key, label, value, 'count'::text AS unit FROM (
  SELECT 'segment'::text AS by, format('R%sF%sM%s', r, f, m) AS key, format('R%sF%sM%s', r, f, m) AS label, count(*)::numeric AS value FROM scores GROUP BY r, f, m
  UNION ALL SELECT 'customer', coalesce(n.key, 'unknown'), coalesce(n.label, 'Unknown'), r * 100 + f * 10 + m
  FROM scores LEFT JOIN kassa.customer_names n ON n.member = customer_key) s,
  (VALUES ('movement'::text), ('order')) b (basis);

-- All of them in one.
DO $do$
DECLARE branches text;
BEGIN
  SELECT string_agg(format('SELECT %L::text AS figure, basis, by, key, label, value, unit FROM dwh.%I', name, name), ' UNION ALL ') INTO branches
  FROM unnest(ARRAY['net_sales', 'gross_sales', 'discounts', 'returns', 'adjustments', 'total_sales', 'orders', 'aov', 'units', 'active_customers', 'sessions',
    'conversion', 'funnel', 'abandoned_carts', 'new_customers', 'returning_customers', 'cohort_retention', 'repeat_rate', 'customer_value', 'rfm', 'return_rate',
    'payments']) name;
  EXECUTE 'CREATE VIEW dwh.figures AS ' || branches;
END $do$;
DROP FUNCTION kassa.make_figure(text, text, VARIADIC text[]), kassa.grouped(text, text, text, text, boolean);
