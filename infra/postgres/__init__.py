"""PostgreSQL: the storage that decides, and the server that is started where none is given."""
