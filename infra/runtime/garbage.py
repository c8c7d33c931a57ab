"""Keeps the search for dead reference cycles short, which stops everything else while it lasts."""

import gc


def spare_what_is_there() -> None:
    """Leave all present objects out of later searches: modules, schema and tables of markets live as long as we do.

    A full search through them took 50 to 180 ms, in which no book was published. What is made afterwards is searched
    as before.
    """
    gc.freeze()
