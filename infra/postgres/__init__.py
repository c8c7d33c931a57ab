"""PostgreSQL: the database, and the embedded server that runs without a DSN."""
