"""Positions, balances and their worth, computed from fills."""
