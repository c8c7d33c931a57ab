"""Candles of old months in Parquet files: moved there, read there, checked and restored."""
