"""Measurements of what is promised: one program a figure, run by `uv run python -m bench`."""
