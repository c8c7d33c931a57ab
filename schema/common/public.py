"""Marks fields whose answers may be shared among all who ask the same."""

from typing import Final

PUBLIC: Final = {"public": True}
"""Metadata of a field of public data. An answer is shared if all its fields have it; a field without it is private.

Its value depends on nothing but its parent, its arguments, and what its resolver notes by `RequestContext.note_source`:
neither on who asks nor on the time. `tests/unit/schema/test_public_fields.py` lists all of them.
"""
