"""Compiled selections: a validated operation as Python code that turns domain objects into the answer."""
