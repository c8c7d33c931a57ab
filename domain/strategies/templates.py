"""The catalogue of templates: well-known strategies as definitions, each with its source."""

from domain.model.strategy_templates import TemplateCatalogue
from domain.strategies.breakout_templates import BREAKOUT_TEMPLATES
from domain.strategies.reversion_templates import REVERSION_TEMPLATES
from domain.strategies.trend_templates import TREND_TEMPLATES

TEMPLATES = (*TREND_TEMPLATES, *BREAKOUT_TEMPLATES, *REVERSION_TEMPLATES)
"""All templates, in the order in which the API lists them."""

BUILT_IN = TemplateCatalogue(TEMPLATES)
"""The catalogue without plug-ins."""
