"""Spark over the lake: the totals of the ledger, the rows of the archive, and what the spans say was read. Prints JSON.

Arguments: the lake's URL (a path, or s3a://bucket/prefix), the jars' folder, settings of Spark as JSON, and, if only that is to be
answered, a query over `sales`, a view of fact_sales: then the cells of its one row are printed as text. With several queries, which
name the lake's tables, all rows of each are printed.
"""

import glob
import json
import os
import sys
from decimal import Decimal

from pyspark.sql import SparkSession

lake, jars, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
builder = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", ",".join(sorted(glob.glob(f"{jars}/*.jar"))))
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.driver.memory", "1g")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.databricks.delta.snapshotPartitions", "2")
)
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()


def one(query):
    return spark.sql(query).collect()[0]


def cells(row):
    return [None if cell is None else format(cell, "f") if isinstance(cell, Decimal) else str(cell) for cell in row]


if len(sys.argv) > 5:
    for table in os.listdir(f"{lake}/DWH"):
        if os.path.isdir(f"{lake}/DWH/{table}/_delta_log"):
            spark.sql(f"CREATE TEMPORARY VIEW {table} AS SELECT * FROM delta.`{lake}/DWH/{table}`")
    print(json.dumps([[cells(row) for row in spark.sql(query).collect()] for query in sys.argv[4:]]), flush=True)
    spark.stop()
    sys.exit(0)
if len(sys.argv) > 4:
    spark.sql(f"CREATE TEMPORARY VIEW sales AS SELECT * FROM delta.`{lake}/DWH/fact_sales`")
    print(json.dumps([str(cell) for cell in one(sys.argv[4])]), flush=True)
    spark.stop()
    sys.exit(0)
net, rows = one(f"""
    SELECT SUM(s.net_amount * r.rate), COUNT(*) FROM delta.`{lake}/DWH/fact_sales` s
    LEFT JOIN delta.`{lake}/DWH/dim_fx_rate` r ON r.currency = s.currency AND r.date_key = s.movement_date_key
    WHERE NOT s.is_test""")
(archived,) = one(f"SELECT COUNT(value) FROM delta.`{lake}/topics/order_lines`")
(read,) = one(f"SELECT SUM(read) FROM delta.`{lake}/DWH/spans`")
print(json.dumps({"net": format(net, "f"), "rows": rows, "archived": archived, "spans": read}), flush=True)
spark.stop()
