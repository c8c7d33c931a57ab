"""Accounts: opening, funding, halting and valuing them."""
