"""Collects, verifies, stores and publishes the data of markets."""
