"""Shared subscriptions: one execution and one encoding of an event for all clients that asked for the same."""
