"""The budget of requests at a venue: priorities, weights, bans."""
