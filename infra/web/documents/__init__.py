"""Parsed and validated documents, and their limits."""
