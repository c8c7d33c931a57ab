"""The user's event log."""
