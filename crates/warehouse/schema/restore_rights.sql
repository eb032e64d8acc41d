-- Grants what is missing of the kept rights, on views that were created again and on columns that still exist.
DO $do$
DECLARE given record;
BEGIN
  FOR given IN
    SELECT k.* FROM kassa.kept_rights k
    JOIN pg_class c ON c.oid = to_regclass(k.view_name) AND c.oid <> k.view_oid AND c.relkind = 'v'
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = k.column_name AND NOT a.attisdropped
    WHERE (k.column_name IS NULL OR a.attname IS NOT NULL) AND (k.grantee = 0 OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = k.grantee))
      AND NOT EXISTS (SELECT FROM aclexplode(CASE WHEN k.column_name IS NULL THEN c.relacl ELSE a.attacl END) g
        WHERE g.grantee = k.grantee AND g.privilege_type = k.privilege_type AND (g.is_grantable OR NOT k.is_grantable))
  LOOP
    EXECUTE format('GRANT %s%s ON %s TO %s %s', given.privilege_type,
      CASE WHEN given.column_name IS NULL THEN '' ELSE format(' (%I)', given.column_name) END, given.view_name,
      CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END,
      CASE WHEN given.is_grantable THEN 'WITH GRANT OPTION' ELSE '' END);
  END LOOP;
END $do$;
DROP TABLE kassa.kept_rights;
