"""Indicators, trends and volume profiles."""
