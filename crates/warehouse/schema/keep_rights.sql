-- The rights on views and on their columns. A migration that drops a view and creates it again loses them.
CREATE TABLE kassa.kept_rights AS
WITH views AS (
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relacl, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'v' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
SELECT oid AS view_oid, name AS view_name, NULL::name AS column_name, g.grantee, g.privilege_type, g.is_grantable
FROM views CROSS JOIN LATERAL aclexplode(relacl) g WHERE g.grantee <> relowner
UNION ALL
SELECT views.oid, name, a.attname, g.grantee, g.privilege_type, g.is_grantable
FROM views JOIN pg_attribute a ON a.attrelid = views.oid AND a.attnum > 0 AND NOT a.attisdropped CROSS JOIN LATERAL aclexplode(a.attacl) g;
