"""The event log as a stream, leases, and idempotency keys."""
