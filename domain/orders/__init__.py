"""Orders: what they are, how they live, and what they lead to."""
