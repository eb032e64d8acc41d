//! The warehouse: the star schema and the current state in PostgreSQL.
