"""Orders and their fills."""
