"""What is a user's own: its erasure."""
