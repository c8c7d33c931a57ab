"""Indicators: which there are."""

from collections.abc import Sequence

from domain.analytics.catalogue import IndicatorDefinition, catalogue


def indicators() -> Sequence[IndicatorDefinition]:
    """Return every indicator in the order of their names."""
    return catalogue()
