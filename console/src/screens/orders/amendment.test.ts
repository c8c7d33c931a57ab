import { describe, expect, it } from 'vitest';
import { changesOf, isAmendable, type AmendableOrder } from './amendment.ts';

const limit: AmendableOrder = { status: 'OPEN', type: 'LIMIT', role: 'MANUAL', quantity: '1', price: '100', stopPrice: null, trailPercent: null, trailAbsolute: null };
const typed = { quantity: '1', price: '100', stopPrice: '', trailing: '' };

describe('an amendment', () => {
  it('has what differs from the order alone, by value', () => {
    expect(changesOf(limit, { ...typed, quantity: '1.0', price: '101' })).toEqual({ price: '101' });
    expect(changesOf(limit, typed)).toBeNull();
  });

  it('is nothing as long as a field of the order can not be read', () => {
    expect(changesOf(limit, { ...typed, price: '' })).toBeNull();
    expect(changesOf(limit, { ...typed, quantity: '2', price: '1,000' })).toBeNull();
  });

  it('changes the distance of a trailing stop in its own unit, never the price that follows the market', () => {
    const trailing: AmendableOrder = { ...limit, type: 'TRAILING_STOP', price: null, stopPrice: '95', trailAbsolute: '5' };
    expect(changesOf(trailing, { ...typed, stopPrice: '90', trailing: '7' })).toEqual({ trailing: { absolute: '7' } });
    expect(changesOf({ ...trailing, trailPercent: '2', trailAbsolute: null }, { ...typed, trailing: '3' })).toEqual({ trailing: { percent: '3' } });
  });

  it.each([
    [{}, true], [{ status: 'PENDING' as const }, true], [{ status: 'FILLED' as const }, false], [{ type: 'MARKET' as const }, false], [{ role: 'STOP_LOSS' as const }, false],
    [{ status: 'PENDING_CANCEL' as const }, false],
  ])('is offered for orders that can still be changed by hand (%o)', (change, expected) => {
    expect(isAmendable({ ...limit, ...change })).toBe(expected);
  });
});
