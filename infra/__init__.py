"""The outside world: the domain's ports implemented, and the programs built on top of all layers."""
