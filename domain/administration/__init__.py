"""What operators do to users, and what they see of the engine."""
