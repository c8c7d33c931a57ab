/** Live tickers of many markets; what comes within a frame is shown at once. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { useStream } from '../../live/useStream.ts';
import { FeedsDocument, TickersDocument, type FeedsSubscription, type TickersSubscription } from './markets.generated.ts';

export type Ticker = TickersSubscription['tickers'];
export type Feed = FeedsSubscription['marketFeeds'];

const SHOW_EVERY_MS = 200;

/** `symbols` are sorted, so that all who show the same markets share a stream of the engine. */
export function useTickers(symbols: readonly string[], onError: (message: string) => void) {
  const newest = useRef({ tickers: new Map<string, Ticker>(), feeds: new Map<string, Feed>() });
  const [shown, setShown] = useState(newest.current);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const show = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      setShown({ tickers: new Map(newest.current.tickers), feeds: new Map(newest.current.feeds) });
    }, SHOW_EVERY_MS);
  }, []);
  useEffect(() => () => { clearTimeout(timer.current); timer.current = undefined; }, []);
  const markets = [...symbols].sort();
  const isPaused = markets.length === 0;
  useStream(TickersDocument, { markets }, ({ tickers }) => { newest.current.tickers.set(tickers.market.symbol, tickers); show(); }, { isPaused, onError });
  useStream(FeedsDocument, { markets }, ({ marketFeeds }) => { newest.current.feeds.set(marketFeeds.market.symbol, marketFeeds); show(); }, { isPaused, onError });
  return shown;
}
