/** Lengths of candles, as the API names them and as people do. */
import type { Timeframe } from '../schema.generated.ts';

export const TIMEFRAMES: Record<Timeframe, string> = {
  M1: '1m', M3: '3m', M5: '5m', M15: '15m', M30: '30m', H1: '1h', H2: '2h', H4: '4h', H6: '6h', H12: '12h', D1: '1d', W1: '1w',
};

export const isTimeframe = (text: string): text is Timeframe => text in TIMEFRAMES;
