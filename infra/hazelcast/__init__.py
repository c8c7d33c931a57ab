"""The cache and the bus shared by several nodes; the package itself imports no client, its modules do."""
