"""Backups of the embedded PostgreSQL, and its recovery to a moment."""
