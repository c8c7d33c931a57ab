"""What is stored about a user: its export and its erasure."""
