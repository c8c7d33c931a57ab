import type { CandleBar } from './CandleChart.tsx';

interface Columns {
  openTimes: readonly string[]; opens: readonly string[]; highs: readonly string[]; lows: readonly string[]; closes: readonly string[]; volumes: readonly string[];
}

/** The candles of a series, which the engine sends as columns of equal length. */
export const barsOf = ({ openTimes, opens, highs, lows, closes, volumes }: Columns): CandleBar[] =>
  openTimes.map((openTime, at) => ({
    openTime, open: opens[at] ?? '', high: highs[at] ?? '', low: lows[at] ?? '', close: closes[at] ?? '', volume: volumes[at] ?? '',
  }));
