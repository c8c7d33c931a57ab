"""Sends an account's orders, applies execution reports and resolves unknown outcomes; one writer per account."""
