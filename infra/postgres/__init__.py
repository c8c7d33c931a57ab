"""PostgreSQL: the database that decides, and the server that is started where none is given."""
