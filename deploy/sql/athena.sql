-- Made from the declarations in crates/model/src/star/ by `UPDATE_DOCS=1 cargo test -p kassa-model`.
-- Replace s3://BUCKET/PREFIX by the URL of the lake.

CREATE DATABASE IF NOT EXISTS kassa;

-- One signed movement of one order line: the ledger from which every revenue figure is a sum.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.fact_sales
LOCATION 's3://BUCKET/PREFIX/DWH/fact_sales/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One revision of one order.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.fact_order
LOCATION 's3://BUCKET/PREFIX/DWH/fact_order/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One payment transaction.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.fact_payment
LOCATION 's3://BUCKET/PREFIX/DWH/fact_payment/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One behaviour event.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.fact_event
LOCATION 's3://BUCKET/PREFIX/DWH/fact_event/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One session; derived from `fact_event` and `fact_sales`.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.fact_session
LOCATION 's3://BUCKET/PREFIX/DWH/fact_session/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One stock level of a product at a location.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.fact_inventory
LOCATION 's3://BUCKET/PREFIX/DWH/fact_inventory/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One stated rate of a currency pair on a day.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.fact_fx_rate
LOCATION 's3://BUCKET/PREFIX/DWH/fact_fx_rate/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One version of a customer, without personal data.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_customer
LOCATION 's3://BUCKET/PREFIX/DWH/dim_customer/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One version of a product or of one of its variants.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_product
LOCATION 's3://BUCKET/PREFIX/DWH/dim_product/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One category at one level of its path.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_category
LOCATION 's3://BUCKET/PREFIX/DWH/dim_category/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One address.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_address
LOCATION 's3://BUCKET/PREFIX/DWH/dim_address/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One city.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_city
LOCATION 's3://BUCKET/PREFIX/DWH/dim_city/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One country.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_country
LOCATION 's3://BUCKET/PREFIX/DWH/dim_country/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One sales channel.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_channel
LOCATION 's3://BUCKET/PREFIX/DWH/dim_channel/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One promotion or coupon.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_promotion
LOCATION 's3://BUCKET/PREFIX/DWH/dim_promotion/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One payment method.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_payment_method
LOCATION 's3://BUCKET/PREFIX/DWH/dim_payment_method/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One currency.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_currency
LOCATION 's3://BUCKET/PREFIX/DWH/dim_currency/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- The rate of a currency to the shop's on a day; derived from `fact_fx_rate`.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_fx_rate
LOCATION 's3://BUCKET/PREFIX/DWH/dim_fx_rate/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- Generated: one day of the shop's calendar.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_date
LOCATION 's3://BUCKET/PREFIX/DWH/dim_date/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- Generated: one minute of a day.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.dim_time
LOCATION 's3://BUCKET/PREFIX/DWH/dim_time/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- One dead letter: a record that was refused, with its bytes.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.rejected
LOCATION 's3://BUCKET/PREFIX/DWH/rejected/'
TBLPROPERTIES ('table_type' = 'DELTA');

-- What became of each range of offsets; written last, so that all rows of the range are already in their tables.
CREATE EXTERNAL TABLE IF NOT EXISTS kassa.spans
LOCATION 's3://BUCKET/PREFIX/DWH/spans/'
TBLPROPERTIES ('table_type' = 'DELTA');
