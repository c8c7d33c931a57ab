"""An exchange on loopback that speaks Binance Spot's REST and WebSocket protocol, for paper trading and tests."""
