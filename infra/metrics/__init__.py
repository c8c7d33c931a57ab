"""What Prometheus is told of the engine beyond its web server."""
