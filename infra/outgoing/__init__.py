"""Requests to addresses that users name, and the messages that go there."""
