"""Indicators over arrays of candles: catalogue, computation, warm-up, trend, volume profile."""
