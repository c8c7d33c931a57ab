"""Checks an installation from outside: `r3edge doctor`."""
