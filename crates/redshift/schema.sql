-- Made from the model's schema by `UPDATE_DOCS=1 cargo test -p kassa-redshift`: what `kassa job run redshift` creates where it is missing.

CREATE SCHEMA IF NOT EXISTS "dwh";

CREATE SCHEMA IF NOT EXISTS "dwh_kassa";

CREATE TABLE IF NOT EXISTS "dwh_kassa"."state" (
  "generation" BIGINT NOT NULL,
  "load_id" VARCHAR(64) NOT NULL,
  "lake" VARCHAR(4096) NOT NULL,
  "loaded_at" TIMESTAMPTZ NOT NULL,
  "rebuild" BIGINT
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh_kassa"."positions" (
  "topic" VARCHAR(4096) NOT NULL,
  "partition" BIGINT NOT NULL,
  "next_offset" BIGINT NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh"."fact_sales" (
  "order_id" VARCHAR(1024) NOT NULL,
  "line_id" VARCHAR(1024) NOT NULL,
  "movement" VARCHAR(4096) NOT NULL,
  "order_key" BIGINT NOT NULL,
  "order_date_key" INTEGER NOT NULL,
  "movement_date_key" INTEGER NOT NULL,
  "ordered_at" TIMESTAMPTZ NOT NULL,
  "moved_at" TIMESTAMPTZ NOT NULL,
  "customer_key" BIGINT NOT NULL,
  "product_key" BIGINT NOT NULL,
  "channel_key" BIGINT NOT NULL,
  "promotion_key" BIGINT NOT NULL,
  "ship_address_key" BIGINT NOT NULL,
  "ship_country_key" BIGINT NOT NULL,
  "currency" VARCHAR(4096) NOT NULL,
  "quantity" DECIMAL(18,3) NOT NULL,
  "unit_price" DECIMAL(18,6),
  "gross_amount" DECIMAL(18,6) NOT NULL,
  "discount_amount" DECIMAL(18,6) NOT NULL,
  "tax_amount" DECIMAL(18,6) NOT NULL,
  "shipping_amount" DECIMAL(18,6) NOT NULL,
  "net_amount" DECIMAL(18,6) NOT NULL,
  "is_test" BOOLEAN NOT NULL,
  "is_gift_card" BOOLEAN NOT NULL,
  "is_future" BOOLEAN NOT NULL,
  "session_id" VARCHAR(1024),
  "extra" VARCHAR(65535),
  "list_price" DECIMAL(18,6),
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE KEY DISTKEY ("order_key")
COMPOUND SORTKEY ("moved_at");

CREATE TABLE IF NOT EXISTS "dwh"."fact_order" (
  "order_id" VARCHAR(1024) NOT NULL,
  "order_key" BIGINT NOT NULL,
  "revision" BIGINT NOT NULL,
  "order_date_key" INTEGER NOT NULL,
  "status" VARCHAR(4096),
  "financial_status" VARCHAR(4096),
  "fulfilment_status" VARCHAR(4096),
  "occurred_at" TIMESTAMPTZ NOT NULL,
  "placed_at" TIMESTAMPTZ NOT NULL,
  "processed_at" TIMESTAMPTZ,
  "paid_at" TIMESTAMPTZ,
  "cancelled_at" TIMESTAMPTZ,
  "closed_at" TIMESTAMPTZ,
  "cancel_reason" VARCHAR(16384),
  "customer_key" BIGINT NOT NULL,
  "channel_key" BIGINT NOT NULL,
  "promotion_key" BIGINT NOT NULL,
  "billing_address_key" BIGINT NOT NULL,
  "ship_address_key" BIGINT NOT NULL,
  "ship_country_key" BIGINT NOT NULL,
  "currency" VARCHAR(4096),
  "shop_currency" VARCHAR(4096),
  "tax_included" BOOLEAN,
  "subtotal" DECIMAL(18,6),
  "discount" DECIMAL(18,6),
  "tax" DECIMAL(18,6),
  "shipping" DECIMAL(18,6),
  "duty" DECIMAL(18,6),
  "tip" DECIMAL(18,6),
  "gift_card" DECIMAL(18,6),
  "total" DECIMAL(18,6),
  "coupons" VARCHAR(65535),
  "attribution" VARCHAR(65535),
  "is_test" BOOLEAN NOT NULL,
  "is_future" BOOLEAN NOT NULL,
  "lines_differ" BOOLEAN NOT NULL,
  "session_id" VARCHAR(1024),
  "extra" VARCHAR(65535),
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE KEY DISTKEY ("order_key")
COMPOUND SORTKEY ("placed_at");

CREATE TABLE IF NOT EXISTS "dwh"."fact_payment" (
  "payment_id" VARCHAR(1024) NOT NULL,
  "order_id" VARCHAR(1024) NOT NULL,
  "order_key" BIGINT NOT NULL,
  "kind" VARCHAR(4096) NOT NULL,
  "parent_id" VARCHAR(1024),
  "status" VARCHAR(4096),
  "gateway" VARCHAR(4096),
  "payment_method_key" BIGINT NOT NULL,
  "customer_key" BIGINT NOT NULL,
  "channel_key" BIGINT NOT NULL,
  "payment_date_key" INTEGER NOT NULL,
  "occurred_at" TIMESTAMPTZ NOT NULL,
  "amount" DECIMAL(18,6) NOT NULL,
  "currency" VARCHAR(4096) NOT NULL,
  "instalments" BIGINT,
  "sequence" BIGINT,
  "is_test" BOOLEAN NOT NULL,
  "is_future" BOOLEAN NOT NULL,
  "extra" VARCHAR(65535),
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE KEY DISTKEY ("order_key")
COMPOUND SORTKEY ("occurred_at");

CREATE TABLE IF NOT EXISTS "dwh"."fact_event" (
  "type" VARCHAR(4096) NOT NULL,
  "custom_type" VARCHAR(4096),
  "event_date_key" INTEGER NOT NULL,
  "occurred_at" TIMESTAMPTZ NOT NULL,
  "customer_key" BIGINT NOT NULL,
  "person_key" BIGINT NOT NULL,
  "session_key" BIGINT NOT NULL,
  "session_id" VARCHAR(1024),
  "anonymous_id" VARCHAR(1024),
  "product_key" BIGINT NOT NULL,
  "channel_key" BIGINT NOT NULL,
  "country_key" BIGINT NOT NULL,
  "quantity" DECIMAL(18,3),
  "price" DECIMAL(18,6),
  "currency" VARCHAR(4096),
  "url" VARCHAR(16384),
  "referrer" VARCHAR(16384),
  "utm_source" VARCHAR(4096),
  "utm_medium" VARCHAR(4096),
  "utm_campaign" VARCHAR(4096),
  "utm_term" VARCHAR(4096),
  "utm_content" VARCHAR(4096),
  "device" VARCHAR(4096),
  "search_query" VARCHAR(16384),
  "list_id" VARCHAR(1024),
  "position" BIGINT,
  "cart_id" VARCHAR(1024),
  "checkout_id" VARCHAR(1024),
  "order_id" VARCHAR(1024),
  "order_key" BIGINT NOT NULL,
  "is_test" BOOLEAN NOT NULL,
  "is_bot" BOOLEAN NOT NULL,
  "is_future" BOOLEAN NOT NULL,
  "extra" VARCHAR(65535),
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE KEY DISTKEY ("session_key")
COMPOUND SORTKEY ("occurred_at");

CREATE TABLE IF NOT EXISTS "dwh"."fact_session" (
  "session_key" BIGINT NOT NULL,
  "session_id" VARCHAR(1024),
  "person_key" BIGINT NOT NULL,
  "customer_key" BIGINT NOT NULL,
  "session_date_key" INTEGER NOT NULL,
  "started_at" TIMESTAMPTZ NOT NULL,
  "ended_at" TIMESTAMPTZ NOT NULL,
  "entry_url" VARCHAR(16384),
  "exit_url" VARCHAR(16384),
  "events" BIGINT NOT NULL,
  "viewed" BOOLEAN NOT NULL,
  "added" BOOLEAN NOT NULL,
  "checkout" BOOLEAN NOT NULL,
  "paid" BOOLEAN NOT NULL,
  "converted" BOOLEAN NOT NULL,
  "abandoned" BOOLEAN NOT NULL,
  "revenue_reporting" DECIMAL(38,15) NOT NULL
)
DISTSTYLE KEY DISTKEY ("session_key")
COMPOUND SORTKEY ("started_at");

CREATE TABLE IF NOT EXISTS "dwh"."fact_inventory" (
  "product_key" BIGINT NOT NULL,
  "location" VARCHAR(4096) NOT NULL,
  "inventory_date_key" INTEGER NOT NULL,
  "occurred_at" TIMESTAMPTZ NOT NULL,
  "level" DECIMAL(18,3) NOT NULL,
  "extra" VARCHAR(65535),
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE KEY DISTKEY ("product_key")
COMPOUND SORTKEY ("occurred_at");

CREATE TABLE IF NOT EXISTS "dwh"."fact_fx_rate" (
  "base" VARCHAR(4096) NOT NULL,
  "quote" VARCHAR(4096) NOT NULL,
  "rate_date_key" INTEGER NOT NULL,
  "rate" DECIMAL(18,9) NOT NULL,
  "occurred_at" TIMESTAMPTZ NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE ALL
COMPOUND SORTKEY ("rate_date_key");

CREATE TABLE IF NOT EXISTS "dwh"."dim_customer" (
  "customer_key" BIGINT NOT NULL,
  "customer_id" VARCHAR(1024) NOT NULL,
  "segment" VARCHAR(4096),
  "consent" VARCHAR(4096),
  "home_city_key" BIGINT NOT NULL,
  "valid_from" TIMESTAMPTZ NOT NULL,
  "is_placeholder" BOOLEAN NOT NULL,
  "extra" VARCHAR(65535),
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("customer_key", "valid_from");

CREATE TABLE IF NOT EXISTS "dwh"."dim_product" (
  "product_key" BIGINT NOT NULL,
  "product_id" VARCHAR(1024) NOT NULL,
  "variant_id" VARCHAR(1024),
  "sku" VARCHAR(4096),
  "name" VARCHAR(4096),
  "brand" VARCHAR(4096),
  "category_key" BIGINT NOT NULL,
  "price" DECIMAL(18,6),
  "cost" DECIMAL(18,6),
  "currency" VARCHAR(4096),
  "status" VARCHAR(4096),
  "valid_from" TIMESTAMPTZ NOT NULL,
  "is_placeholder" BOOLEAN NOT NULL,
  "extra" VARCHAR(65535),
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("product_key", "valid_from");

CREATE TABLE IF NOT EXISTS "dwh"."dim_category" (
  "category_key" BIGINT NOT NULL,
  "name" VARCHAR(4096) NOT NULL,
  "level" INTEGER NOT NULL,
  "parent_key" BIGINT NOT NULL,
  "path" VARCHAR(16384) NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh"."dim_address" (
  "address_key" BIGINT NOT NULL,
  "postcode" VARCHAR(4096),
  "city_key" BIGINT NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("address_key");

CREATE TABLE IF NOT EXISTS "dwh"."dim_city" (
  "city_key" BIGINT NOT NULL,
  "name" VARCHAR(4096) NOT NULL,
  "region" VARCHAR(4096),
  "country_key" BIGINT NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("city_key");

CREATE TABLE IF NOT EXISTS "dwh"."dim_country" (
  "country_key" BIGINT NOT NULL,
  "code" VARCHAR(4096) NOT NULL,
  "name" VARCHAR(4096) NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh"."dim_channel" (
  "channel_key" BIGINT NOT NULL,
  "name" VARCHAR(4096) NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh"."dim_promotion" (
  "promotion_key" BIGINT NOT NULL,
  "code" VARCHAR(4096) NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh"."dim_payment_method" (
  "payment_method_key" BIGINT NOT NULL,
  "name" VARCHAR(4096) NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh"."dim_currency" (
  "currency_key" BIGINT NOT NULL,
  "code" VARCHAR(4096) NOT NULL,
  "minor_digits" INTEGER NOT NULL,
  "source_topic" VARCHAR(4096) NOT NULL,
  "source_partition" BIGINT NOT NULL,
  "source_offset" BIGINT NOT NULL,
  "source_index" INTEGER NOT NULL,
  "event_id" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(4096),
  "store_id" VARCHAR(1024) NOT NULL,
  "content_hash" BIGINT NOT NULL,
  "ingested_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "dwh"."dim_fx_rate" (
  "currency" VARCHAR(4096) NOT NULL,
  "date_key" INTEGER NOT NULL,
  "rate" DECIMAL(18,9) NOT NULL,
  "derivation" VARCHAR(4096) NOT NULL,
  "via" VARCHAR(4096),
  "rate_date_key" INTEGER NOT NULL
)
DISTSTYLE ALL
COMPOUND SORTKEY ("currency", "date_key");

CREATE TABLE IF NOT EXISTS "dwh"."dim_date" (
  "date_key" INTEGER NOT NULL,
  "date" DATE NOT NULL,
  "year" INTEGER NOT NULL,
  "quarter" INTEGER NOT NULL,
  "month" INTEGER NOT NULL,
  "day" INTEGER NOT NULL,
  "iso_year" INTEGER NOT NULL,
  "iso_week" INTEGER NOT NULL,
  "weekday" INTEGER NOT NULL,
  "weekday_name" VARCHAR(4096) NOT NULL,
  "month_name" VARCHAR(4096) NOT NULL,
  "starts_at" TIMESTAMPTZ NOT NULL,
  "hours" INTEGER NOT NULL,
  "holiday" VARCHAR(4096)
)
DISTSTYLE ALL
COMPOUND SORTKEY ("date_key");

CREATE TABLE IF NOT EXISTS "dwh"."dim_time" (
  "time_key" INTEGER NOT NULL,
  "hour" INTEGER NOT NULL,
  "minute" INTEGER NOT NULL,
  "quarter_hour" INTEGER NOT NULL
)
DISTSTYLE ALL
COMPOUND SORTKEY ("time_key");

CREATE TABLE IF NOT EXISTS "dwh"."spans" (
  "topic" VARCHAR(4096) NOT NULL,
  "partition" BIGINT NOT NULL,
  "from_offset" BIGINT NOT NULL,
  "to_offset" BIGINT NOT NULL,
  "read" BIGINT NOT NULL,
  "accepted" BIGINT NOT NULL,
  "duplicates" BIGINT NOT NULL,
  "dead_letters" BIGINT NOT NULL,
  "gap" BIGINT NOT NULL,
  "committed_at" TIMESTAMPTZ NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("topic", "partition", "from_offset");

DROP VIEW IF EXISTS "dwh"."fact_sales_reporting";

CREATE VIEW "dwh"."fact_sales_reporting" AS
SELECT f."order_id", f."line_id", f."movement", f."order_key", f."order_date_key", f."movement_date_key", f."ordered_at", f."moved_at", f."customer_key", f."product_key", f."channel_key", f."promotion_key", f."ship_address_key", f."ship_country_key", f."currency", f."quantity", f."unit_price", f."gross_amount", f."discount_amount", f."tax_amount", f."shipping_amount", f."net_amount", f."is_test", f."is_gift_card", f."is_future", f."session_id", f."extra", f."list_price", f."source_topic", f."source_partition", f."source_offset", f."source_index", f."event_id", f."source", f."store_id", f."content_hash", f."ingested_at", f."gross_amount" * r."rate" AS "gross_amount_reporting", f."discount_amount" * r."rate" AS "discount_amount_reporting", f."tax_amount" * r."rate" AS "tax_amount_reporting", f."shipping_amount" * r."rate" AS "shipping_amount_reporting", f."net_amount" * r."rate" AS "net_amount_reporting", r."rate" AS "fx_rate"
FROM "dwh"."fact_sales" f
LEFT JOIN "dwh"."dim_fx_rate" r ON r."currency" = f."currency" AND r."date_key" = f."movement_date_key";

DROP VIEW IF EXISTS "dwh"."fact_order_reporting";

CREATE VIEW "dwh"."fact_order_reporting" AS
SELECT f."order_id", f."order_key", f."revision", f."order_date_key", f."status", f."financial_status", f."fulfilment_status", f."occurred_at", f."placed_at", f."processed_at", f."paid_at", f."cancelled_at", f."closed_at", f."cancel_reason", f."customer_key", f."channel_key", f."promotion_key", f."billing_address_key", f."ship_address_key", f."ship_country_key", f."currency", f."shop_currency", f."tax_included", f."subtotal", f."discount", f."tax", f."shipping", f."duty", f."tip", f."gift_card", f."total", f."coupons", f."attribution", f."is_test", f."is_future", f."lines_differ", f."session_id", f."extra", f."source_topic", f."source_partition", f."source_offset", f."source_index", f."event_id", f."source", f."store_id", f."content_hash", f."ingested_at", f."duty" * r."rate" AS "duty_reporting", r."rate" AS "fx_rate"
FROM "dwh"."fact_order" f
LEFT JOIN "dwh"."dim_fx_rate" r ON r."currency" = f."currency" AND r."date_key" = f."order_date_key";

DROP VIEW IF EXISTS "dwh"."fact_payment_reporting";

CREATE VIEW "dwh"."fact_payment_reporting" AS
SELECT f."payment_id", f."order_id", f."order_key", f."kind", f."parent_id", f."status", f."gateway", f."payment_method_key", f."customer_key", f."channel_key", f."payment_date_key", f."occurred_at", f."amount", f."currency", f."instalments", f."sequence", f."is_test", f."is_future", f."extra", f."source_topic", f."source_partition", f."source_offset", f."source_index", f."event_id", f."source", f."store_id", f."content_hash", f."ingested_at", f."amount" * r."rate" AS "amount_reporting", r."rate" AS "fx_rate"
FROM "dwh"."fact_payment" f
LEFT JOIN "dwh"."dim_fx_rate" r ON r."currency" = f."currency" AND r."date_key" = f."payment_date_key";
