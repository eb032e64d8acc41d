-- Made from the declarations in crates/model/src/star/ by `UPDATE_DOCS=1 cargo test -p kassa-model`.
-- Replace s3a://BUCKET/PREFIX by the URL of the lake.

CREATE SCHEMA IF NOT EXISTS kassa;

-- One signed movement of one order line: the ledger from which every revenue figure is a sum.
CREATE TABLE IF NOT EXISTS kassa.fact_sales
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/fact_sales';

-- One revision of one order.
CREATE TABLE IF NOT EXISTS kassa.fact_order
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/fact_order';

-- One payment transaction.
CREATE TABLE IF NOT EXISTS kassa.fact_payment
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/fact_payment';

-- One behaviour event.
CREATE TABLE IF NOT EXISTS kassa.fact_event
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/fact_event';

-- One session; derived from `fact_event` and `fact_sales`.
CREATE TABLE IF NOT EXISTS kassa.fact_session
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/fact_session';

-- One stock level of a product at a location.
CREATE TABLE IF NOT EXISTS kassa.fact_inventory
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/fact_inventory';

-- One stated rate of a currency pair on a day.
CREATE TABLE IF NOT EXISTS kassa.fact_fx_rate
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/fact_fx_rate';

-- One version of a customer, without personal data.
CREATE TABLE IF NOT EXISTS kassa.dim_customer
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_customer';

-- One version of a product or of one of its variants.
CREATE TABLE IF NOT EXISTS kassa.dim_product
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_product';

-- One category at one level of its path.
CREATE TABLE IF NOT EXISTS kassa.dim_category
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_category';

-- One address.
CREATE TABLE IF NOT EXISTS kassa.dim_address
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_address';

-- One city.
CREATE TABLE IF NOT EXISTS kassa.dim_city
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_city';

-- One country.
CREATE TABLE IF NOT EXISTS kassa.dim_country
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_country';

-- One sales channel.
CREATE TABLE IF NOT EXISTS kassa.dim_channel
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_channel';

-- One promotion or coupon.
CREATE TABLE IF NOT EXISTS kassa.dim_promotion
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_promotion';

-- One payment method.
CREATE TABLE IF NOT EXISTS kassa.dim_payment_method
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_payment_method';

-- One currency.
CREATE TABLE IF NOT EXISTS kassa.dim_currency
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_currency';

-- The rate of a currency to the shop's on a day; derived from `fact_fx_rate`.
CREATE TABLE IF NOT EXISTS kassa.dim_fx_rate
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_fx_rate';

-- Generated: one day of the shop's calendar.
CREATE TABLE IF NOT EXISTS kassa.dim_date
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_date';

-- Generated: one minute of a day.
CREATE TABLE IF NOT EXISTS kassa.dim_time
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/dim_time';

-- One dead letter: a record that was refused, with its bytes.
CREATE TABLE IF NOT EXISTS kassa.rejected
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/rejected';

-- What became of each range of offsets; written last, so that all rows of the range are already in their tables.
CREATE TABLE IF NOT EXISTS kassa.spans
USING DELTA
LOCATION 's3a://BUCKET/PREFIX/DWH/spans';
