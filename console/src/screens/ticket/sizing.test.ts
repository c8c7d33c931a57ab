import { describe, expect, it } from 'vitest';
import { sizeOrder, stopPrice, type SizingInput } from './sizing.ts';

const input: SizingInput = {
  side: 'BUY', by: 'percent', value: '100', price: '60000', stop: null, freeBase: '0.5', freeQuote: '10000', equity: '10000',
  takerFeePercent: '0.1', quantityIncrement: '0.00001',
};

describe('the size of an order', () => {
  it('leaves room for the fee when all of the money is spent', () => {
    expect(sizeOrder(input)).toEqual({ quantity: '0.1665' });
  });
  it('is a part of the coins for a sale', () => {
    expect(sizeOrder({ ...input, side: 'SELL', value: '33' })).toEqual({ quantity: '0.165' });
  });
  it('loses the percents of equity that are risked when the stop is hit', () => {
    expect(sizeOrder({ ...input, by: 'risk', value: '1', stop: '58800' })).toEqual({ quantity: '0.08333' });
  });
  it.each([
    [{ by: 'risk' as const, stop: '61000' }, 'stop'], [{ by: 'risk' as const, stop: null }, 'stop'], [{ price: null }, 'price'], [{ value: 'x' }, 'value'],
    [{ by: 'risk' as const, stop: '59000', equity: null }, 'equity'],
  ])('is not known without what it needs', (change, missing) => {
    expect(sizeOrder({ ...input, ...change })).toEqual({ missing });
  });
});

it('a stop in percents lies below a purchase and above a sale', () => {
  expect([stopPrice('BUY', '100', '2', true), stopPrice('SELL', '100', '2', true), stopPrice('BUY', null, '98', false)]).toEqual(['98', '102', '98']);
});
