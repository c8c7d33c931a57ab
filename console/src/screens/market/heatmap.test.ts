import { describe, expect, it } from 'vitest';
import { gridOf, heat, strongest, withSnapshot, type Snapshot } from './heatmap.ts';

const book = (at: number, bid: string, ask: string, quantity = '1'): Snapshot => ({ at, bids: [{ price: bid, quantity }], asks: [{ price: ask, quantity: '2' }] });

describe('the books over time', () => {
  it('are one for each interval, and no more than are drawn', () => {
    let known: readonly Snapshot[] = [];
    for (const at of [1_000, 1_500, 2_100, 3_200, 4_900]) known = withSnapshot(known, book(at, '1', '2'), 1_000, 3);
    expect(known.map(({ at }) => at)).toEqual([2_100, 3_200, 4_900]);
  });

  it('are brought in order whenever they come', () => {
    const known = withSnapshot([book(5_000, '1', '2')], book(3_000, '1', '2'), 1_000, 10);
    expect(known.map(({ at }) => at)).toEqual([3_000, 5_000]);
  });
});

describe('the grid', () => {
  it('has each quantity at its price and moment, and leaves a gap where no book was seen', () => {
    const grid = gridOf([book(1_000, '100', '110'), book(3_000, '100', '110', '4')], 1_000, 3, 2);
    expect(grid).toMatchObject({ low: 100, step: 5, most: 4, middles: [105, null, 105] });
    expect([...(grid?.cells ?? [])]).toEqual([1, 0, 4, 2, 0, 2]);
  });

  it('adds what falls into one cell, and takes a single price too', () => {
    expect(gridOf([{ at: 0, bids: [{ price: '5', quantity: '1' }, { price: '5', quantity: '2' }], asks: [] }], 1_000, 1, 4)?.most).toBe(3);
    expect(gridOf([], 1_000, 3, 2)).toBeNull();
  });

  it('names the ranges where most has rested, by side', () => {
    const books = [book(1_000, '100', '110'), book(2_000, '100', '110', '5'), book(3_000, '101', '110')];
    const grid = gridOf(books, 1_000, 3, 10);
    if (!grid) throw new Error('no grid');
    expect(strongest(books, grid, 'bids', 1)).toEqual([{ from: 100, to: 101, quantity: 2 }]);
    expect(strongest(books, grid, 'asks', 5)).toHaveLength(1);
  });
});

it('becomes brighter with more, in the order of cividis', () => {
  const brightness = [0, 0.1, 0.3, 0.6, 1].map(share => (/\d+ (\d+)/.exec(heat(share)) ?? [])[1]).map(Number);
  expect(brightness).toEqual(brightness.toSorted((a, b) => a - b));
  expect([heat(0), heat(1), heat(7)]).toEqual(['rgb(0 34 78)', 'rgb(254 232 56)', 'rgb(254 232 56)']);
});
