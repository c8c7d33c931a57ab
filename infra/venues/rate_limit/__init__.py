"""Rate limiting of the requests to a venue: weights, priorities, and the bans that a venue imposes."""
