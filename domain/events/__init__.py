"""Subscriptions to the event log, leases, and idempotency keys."""
