/** The viewer's orders and fills on a market, kept current by the event log. */
import { useQuery } from 'urql';
import { useUserEvents } from '../../live/events.tsx';
import { MarketOrdersDocument, type MarketOrdersQuery } from './market.generated.ts';

type Viewer = NonNullable<MarketOrdersQuery['viewer']>;
export type OwnOrder = NonNullable<Viewer['orders']>['nodes'][number];
export type OwnPosition = NonNullable<Viewer['positions']>['nodes'][number];
export type OwnFill = NonNullable<Viewer['fills']>['nodes'][number];

const NO_ORDERS: readonly OwnOrder[] = [];
const NO_FILLS: readonly OwnFill[] = [];
const NO_POSITIONS: readonly OwnPosition[] = [];

export function useMarketOrders(symbol: string, isPaused: boolean) {
  const [{ data }, again] = useQuery({ query: MarketOrdersDocument, variables: { symbol }, pause: isPaused, requestPolicy: 'cache-and-network' });
  const orders = data?.viewer?.orders?.nodes ?? NO_ORDERS;
  useUserEvents(['ORDER', 'FILL', 'POSITION'], ({ kind, subject }) => {
    // The cache knows the order's new state already; only one that is new, or a fill, changes the lists.
    const isKnown = orders.some(({ id }) => id === subject?.id);
    if (!isPaused && (kind !== 'ORDER' || !isKnown)) again({ requestPolicy: 'network-only' });
  });
  return { orders, fills: data?.viewer?.fills?.nodes ?? NO_FILLS, positions: data?.viewer?.positions?.nodes ?? NO_POSITIONS };
}
