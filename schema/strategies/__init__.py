"""Strategies, their versions and definitions."""
