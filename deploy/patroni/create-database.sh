#!/bin/sh
# Patroni calls it once, on the node that makes the cluster, with the superuser's address: creates the engine's role and database.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$1" <<'SQL'
\getenv password R3EDGE_DATABASE_PASSWORD
CREATE ROLE r3edge LOGIN PASSWORD :'password';
CREATE DATABASE r3edge OWNER r3edge;
SQL
