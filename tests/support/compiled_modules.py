"""Keeps compiled modules, whatever the environment says.

Without them each process of the tests rewrites all asserts, which takes longer than to collect the tests, and each
engine that is started compiles all of its modules.
"""

import os
import sys


def keep_compiled_modules() -> None:
    """Have this process and those that it starts write and read compiled modules."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
