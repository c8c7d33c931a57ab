"""Sends an account's orders, applies execution reports and resolves doubts; one writer an account."""
