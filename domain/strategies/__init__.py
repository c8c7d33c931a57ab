"""Strategies: definitions as data, the rule language they are written in, and what it says on candles."""
