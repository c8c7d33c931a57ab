"""Strategy templates for r3edge-engine."""

from decimal import Decimal

from domain.model.definitions import ExitDistance, NamedPart, Sizing, StrategyDefinition, StrategyParameter
from domain.model.strategy_templates import StrategyTemplate

TEMPLATES = [
    StrategyTemplate(
        name="inside_bar",
        title="Inside bar breakout",
        description="Buys when a candle closes above the one that lay inside of the candle before it, while prices are "
        "above a long average, and sells after ten candles.",
        source="T. Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout, 1990",
        definition=StrategyDefinition(
            parameters=(StrategyParameter("bars", Decimal(50), Decimal(20), Decimal(200), Decimal(10)),),
            let=(
                NamedPart("inside", "shift(high) < shift(high, 2) and shift(low) > shift(low, 2)"),
                NamedPart("above", "close > shift(high)"),
            ),
            enter_long="inside and above and close > ema(close, bars)",
            max_holding_bars=10,
            stop_loss=ExitDistance(atr_multiple=Decimal(2)),
            sizing=Sizing(risk_percent=Decimal(1)),
        ),
    ),
]
