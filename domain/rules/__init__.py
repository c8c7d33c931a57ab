"""What is decided about an order, without waiting: sizes, prices, validity, life cycle.

Live trading and backtests call the same.
"""
