/** All markets that fit, page by page: the first one at once, the others as they are asked for. */
import type { CombinedError } from '@urql/core';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { MarketsDocument, type MarketRowFragment } from './markets.generated.ts';

interface Pages {
  key: string;
  markets: readonly MarketRowFragment[];
  /** Where the next page begins; null if there is none. */
  next: string | null;
  total: number | null;
  error: CombinedError | null;
}

export interface MarketPages {
  markets: readonly MarketRowFragment[];
  total: number | null;
  hasMore: boolean;
  isLoading: boolean;
  error: CombinedError | null;
  /** Loads the next page, or the one that failed again; a call while one is loaded does nothing. */
  loadMore: () => void;
}

const NONE: readonly MarketRowFragment[] = [];

export function useMarketPages(search: string, quote: string): MarketPages {
  const client = useClient();
  const key = JSON.stringify([search, quote]);
  const [pages, setPages] = useState<Pages | null>(null);
  const loading = useRef<string | null>(null);
  const load = useCallback((after: string | null) => {
    const request = `${key} ${after}`;
    if (loading.current === request) return;
    loading.current = request;
    void client.query(MarketsDocument, { search: search || null, quote: quote || null, after }).toPromise().then(({ data, error }) => {
      if (loading.current !== request) return; // the filters have changed meanwhile
      loading.current = null;
      const page = data?.markets;
      setPages(known => {
        const before = known?.key === key && after !== null ? known : { key, markets: NONE, next: null, total: null };
        if (!page) return { ...before, next: after, error: error ?? null };
        return { key, markets: [...before.markets, ...page.nodes], next: page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null, total: page.totalCount ?? before.total, error: null };
      });
    });
  }, [client, key, search, quote]);
  useEffect(() => load(null), [load]);
  const current = pages?.key === key ? pages : null;
  const next = current?.next ?? null;
  const hasFailed = Boolean(current?.error);
  const loadMore = useCallback(() => { if (next !== null || hasFailed) load(next); }, [load, next, hasFailed]);
  return {
    markets: current?.markets ?? NONE, total: current?.total ?? null, hasMore: next !== null, isLoading: current === null, error: current?.error ?? null, loadMore,
  };
}
