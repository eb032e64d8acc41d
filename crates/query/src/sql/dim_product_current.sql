-- One row a key: master data before placeholders, then the latest version.
SELECT * EXCLUDE (nth) FROM (
  SELECT *, row_number() OVER (
    PARTITION BY product_key ORDER BY is_placeholder, valid_from DESC, source_topic DESC, source_partition DESC, source_offset DESC, source_index DESC) AS nth
  FROM dim_product)
WHERE nth = 1
