"""Candles in bulk: out of files, and out of what venues still know."""
