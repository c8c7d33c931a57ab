"""The cache and the bus inside one process: the defaults, with nothing to install."""
