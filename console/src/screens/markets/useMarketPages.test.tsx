import { act, cleanup, renderHook } from '@testing-library/react';
import type { ReactNode } from 'react';
import { Provider, type Client } from 'urql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useMarketPages } from './useMarketPages.ts';

interface Variables { search: string | null; quote: string | null; after: string | null }
interface Asked { variables: Variables; answer: (result: unknown) => Promise<void> }

let asked: Asked[];
const client = {
  query: (_document: unknown, variables: Variables) => ({
    toPromise: () => new Promise(resolve => {
      asked.push({ variables, answer: async result => { await act(async () => { resolve(result); await Promise.resolve(); }); } });
    }),
  }),
} as unknown as Client;
const wrapper = ({ children }: { children: ReactNode }) => <Provider value={client}>{children}</Provider>;
const page = (symbols: string[], next: string | null, totalCount: number | null = 3) => ({
  data: { markets: { totalCount, nodes: symbols.map(symbol => ({ symbol })), pageInfo: { hasNextPage: next !== null, endCursor: next } } },
});
const start = () => renderHook(({ search }) => useMarketPages(search, ''), { wrapper, initialProps: { search: '' } });

beforeEach(() => { asked = []; });
afterEach(cleanup);

describe('the pages of markets', () => {
  it('follow one another, each asked for once, until there is none', async () => {
    const { result } = start();
    expect(result.current.isLoading).toBe(true);
    await asked[0]?.answer(page(['a', 'b'], 'b'));
    act(() => { result.current.loadMore(); result.current.loadMore(); });
    expect(asked.map(({ variables }) => variables.after)).toEqual([null, 'b']);
    await asked[1]?.answer(page(['c'], null));
    expect(result.current.markets.map(({ symbol }) => symbol)).toEqual(['a', 'b', 'c']);
    expect([result.current.hasMore, result.current.total]).toEqual([false, 3]);
    act(() => result.current.loadMore());
    expect(asked).toHaveLength(2);
  });

  it('begin anew with other filters, whatever comes late of the old ones', async () => {
    const { result, rerender } = start();
    rerender({ search: 'eth' });
    await asked[0]?.answer(page(['btc'], null));
    expect(result.current.markets).toEqual([]);
    await asked[1]?.answer(page(['eth'], null));
    expect(result.current.markets.map(({ symbol }) => symbol)).toEqual(['eth']);
  });

  it('keep what there is when one fails, which can be asked for again', async () => {
    const { result } = start();
    await asked[0]?.answer(page(['a'], 'a'));
    act(() => result.current.loadMore());
    await asked[1]?.answer({ error: { message: 'lost' } });
    expect(result.current.markets).toHaveLength(1);
    expect(result.current.error).not.toBeNull();
    act(() => result.current.loadMore());
    await asked[2]?.answer(page(['b'], null));
    expect([result.current.markets.length, result.current.error, asked[2]?.variables.after]).toEqual([2, null, 'a']);
  });

  it('can be asked for again when the first one has failed', async () => {
    const { result } = start();
    await asked[0]?.answer({ error: { message: 'lost' } });
    act(() => result.current.loadMore());
    await asked[1]?.answer(page(['a'], null));
    expect(result.current.markets).toHaveLength(1);
  });
});
