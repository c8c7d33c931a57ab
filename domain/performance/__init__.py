"""Returns, round trips and the figures of a report, computed from fills, transfers and prices."""
