"""Runs a strategy's definition over candles of the past, by the rules that live trading uses; pure."""
