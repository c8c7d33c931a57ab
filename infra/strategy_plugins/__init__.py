"""Templates out of installed Python packages: the entry point group `r3edge.strategies`."""
