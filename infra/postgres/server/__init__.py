"""The embedded PostgreSQL server, and how to reach one."""
