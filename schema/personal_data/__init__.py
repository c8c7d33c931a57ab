"""Exports of all that is stored about a user."""
