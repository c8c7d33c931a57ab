"""The schema's history, in order; `infra.postgres.migrate` applies it."""
