"""Frozen values, and the enums they are made of."""
