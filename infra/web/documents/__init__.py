"""Parsed and validated documents, and the limits they have to keep."""
