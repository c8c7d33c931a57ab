"""The running exchange, and the synthetic flow of its markets."""
