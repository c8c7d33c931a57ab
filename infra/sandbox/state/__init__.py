"""What the exchange keeps over a restart."""
