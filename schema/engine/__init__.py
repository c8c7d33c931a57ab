"""The engine itself, and halts of trading."""
