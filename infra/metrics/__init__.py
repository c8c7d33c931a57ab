"""Prometheus metrics of the engine beyond its web server."""
