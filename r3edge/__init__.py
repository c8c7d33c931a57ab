"""What programs of others import; it stands beside the engine and knows nothing of its inside."""
