"""The cache and the bus of a single node, in its process: the default, with nothing to install."""
