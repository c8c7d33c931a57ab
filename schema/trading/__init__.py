"""Trading sessions and their signals."""
