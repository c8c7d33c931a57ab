"""Venues reached through ccxt: public data, accounts, and the sandbox exchange's administrative side."""
