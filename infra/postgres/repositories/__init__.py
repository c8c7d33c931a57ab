"""Repositories: all SQL of the engine, one module a table group."""
