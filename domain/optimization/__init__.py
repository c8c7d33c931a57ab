"""Searches a strategy's parameters: what is tried, on which part of the past, and how far the best may be luck."""
