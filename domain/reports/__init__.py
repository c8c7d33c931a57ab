"""Computed accounts of performance and transactions over a period."""
