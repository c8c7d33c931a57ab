"""Files of candles: their forms, and what must hold of each row."""
