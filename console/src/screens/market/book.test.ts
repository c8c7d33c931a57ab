import { describe, expect, it } from 'vitest';
import { applyDepth, EMPTY_BOOK } from './book.ts';

const level = (price: string, quantity: string) => ({ price, quantity });
const snapshot = applyDepth(EMPTY_BOOK, {
  __typename: 'MarketDepthSnapshot', epoch: 'e', sequence: '7', sentAt: 's', venueTime: null,
  bids: [level('100', '1'), level('99', '2')], asks: [level('101', '1')],
});
const delta = (previousSequence: string, epoch = 'e') => ({
  __typename: 'MarketDepthDelta' as const, epoch, previousSequence, sequence: '9', sentAt: 's', venueTime: null,
  bids: [level('100', '0'), level('99.5', '3')], asks: [level('101', '4')],
});

describe('a book', () => {
  it('takes levels away, puts them in their place and replaces their quantity', () => {
    const { book } = applyDepth(snapshot, delta('7'));
    expect(book).toMatchObject({ sequence: '9', bids: [level('99.5', '3'), level('99', '2')], asks: [level('101', '4')] });
  });

  it.each([delta('6'), delta('7', 'other')])('is dropped by a delta that does not fit', event => {
    expect(applyDepth(snapshot, event)).toEqual({ book: null, feed: 'waiting' });
  });

  it('keeps what it shows while the feed is silent, and says so', () => {
    const stale = applyDepth(snapshot, { __typename: 'MarketDepthStatus', state: 'STALE', since: 's' });
    expect(stale).toEqual({ ...snapshot, feed: 'STALE' });
  });
});
