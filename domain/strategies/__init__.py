"""Strategies: definitions as data, the rule language they are written in, and its evaluation on candles."""
