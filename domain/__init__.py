"""The business: plain Python, frozen dataclasses, Decimal money, and the ports of what it needs."""
