"""The command line `r3edge`, one module a command."""
