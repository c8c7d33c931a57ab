"""Connections of clients, whatever they are used for: where they come from, how many there are, how they are closed."""
