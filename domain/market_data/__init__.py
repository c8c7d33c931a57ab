"""Collects, verifies, stores and publishes what venues tell of their markets."""
