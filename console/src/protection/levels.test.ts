import { describe, expect, it } from 'vitest';
import { isPassed, levelsOf, outcomeAt, priceOf, setByHand, trailingPrice, type Protection } from './levels.ts';

const none: Protection = {
  stopLossPrice: null, takeProfitPrice: null, highWater: null, trailPercent: null, trailAbsolute: null, quantity: null, protectAt: 'BEST', unwatchedReason: null, endedAt: null,
};

describe('the levels that protect a position', () => {
  it('are those in force alone, with a trailing stop below the best price', () => {
    const bracket = { ...none, stopLossPrice: '90', quantity: '1' };
    const ended = { ...none, stopLossPrice: '80', endedAt: '2026-01-01T00:00:00Z' };
    const whole = { ...none, takeProfitPrice: '120', highWater: '110', trailPercent: '5' };
    expect(levelsOf([ended, bracket, whole])).toEqual([
      { kind: 'stopLoss', price: '90' }, { kind: 'takeProfit', price: '120' }, { kind: 'trailing', price: '104.5' },
    ]);
    expect(setByHand([ended, bracket, whole])).toBe(whole);
    expect([levelsOf(null), setByHand([bracket])]).toEqual([[], null]);
  });

  it('have a trailing stop by percent or by a difference, or none', () => {
    expect(trailingPrice({ highWater: '110', trailPercent: null, trailAbsolute: '7' })).toBe('103');
    expect(trailingPrice({ highWater: null, trailPercent: '5', trailAbsolute: null })).toBeNull();
    expect(trailingPrice(none)).toBeNull();
  });
});

describe('a level that is typed', () => {
  it('is a price, or percents of the mean price on its side', () => {
    expect([priceOf({ value: '95', isPercent: false }, '100', -1), priceOf({ value: '2', isPercent: true }, '100', -1), priceOf({ value: '2', isPercent: true }, '100', 1)])
      .toEqual(['95', '98', '102']);
    expect([priceOf({ value: 'x', isPercent: true }, '100', 1), priceOf({ value: '2', isPercent: true }, null, 1)]).toEqual([null, null]);
  });

  it('loses below the mean price, and gains above it', () => {
    expect([outcomeAt('98', '100', '2'), outcomeAt('105', '100', '2')]).toEqual(['-4', '10']);
  });

  it('is passed when the market stands on its other side', () => {
    expect([isPassed('101', '100', -1), isPassed('99', '100', -1), isPassed('99', '100', 1), isPassed('100', '100', 1), isPassed('99', null, 1)])
      .toEqual([true, false, true, true, false]);
  });
});
