/** An order book that is kept by deltas, as docs/api.md describes: what doesn't fit is never applied. */
import { compare, sign, type Decimal } from '../../format/decimal.ts';
import type { DepthSubscription } from './market.generated.ts';

export interface Level { price: Decimal; quantity: Decimal }
export interface Book { epoch: string; sequence: string; bids: Level[]; asks: Level[]; at: string }
/** `waiting` for the first snapshot or one after a break; the book isn't shown as current then. */
export interface BookState { book: Book | null; feed: 'LIVE' | 'STALE' | 'RECONNECTING' | 'waiting' }

export const EMPTY_BOOK: BookState = { book: null, feed: 'waiting' };

const LEVELS = 20;

export function applyDepth(state: BookState, event: DepthSubscription['marketDepth']): BookState {
  if (event.__typename === 'MarketDepthStatus') return { ...state, feed: event.state };
  const at = event.venueTime ?? event.sentAt;
  if (event.__typename === 'MarketDepthSnapshot') {
    const { epoch, sequence, bids, asks } = event;
    return { book: { epoch, sequence, bids, asks, at }, feed: 'LIVE' };
  }
  const { book } = state;
  if (book?.epoch !== event.epoch || book.sequence !== event.previousSequence) return { book: null, feed: 'waiting' };
  return {
    book: { ...book, sequence: event.sequence, at, bids: merge(book.bids, event.bids, -1), asks: merge(book.asks, event.asks, 1) },
    feed: 'LIVE',
  };
}

/** `direction` is 1 for rising prices (asks), -1 for falling ones (bids). */
function merge(levels: readonly Level[], changes: readonly Level[], direction: 1 | -1): Level[] {
  if (changes.length === 0) return [...levels];
  const changed = new Map(changes.map(level => [level.price, level]));
  const kept = levels.filter(({ price }) => !changed.has(price));
  const present = changes.filter(({ quantity }) => sign(quantity) > 0);
  return [...kept, ...present].sort((a, b) => direction * compare(a.price, b.price)).slice(0, LEVELS);
}
