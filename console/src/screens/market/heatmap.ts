/** Books over time as a grid of prices and moments, each cell with the quantity that rested there. Floats: it is drawn alone. */
import { toPixels } from '../../format/decimal.ts';
import type { Level } from './book.ts';

export interface Snapshot { at: number; bids: readonly Level[]; asks: readonly Level[] }
export type Side = 'bids' | 'asks';
export interface Grid {
  /** The lowest price, and the height of a row in price. */
  low: number;
  step: number;
  rows: number;
  columns: number;
  /** Row by row from the lowest price on; of a column without a book all are 0. */
  cells: Float64Array;
  most: number;
  /** The middle of each column's book; null without one. */
  middles: readonly (number | null)[];
}
export interface Strongest { from: number; to: number; quantity: number }

/** Adds a book to those that are known: one for each interval, the first; older ones than `columns` intervals go. */
export function withSnapshot(known: readonly Snapshot[], added: Snapshot, everyMs: number, columns: number): readonly Snapshot[] {
  const slot = (at: number) => Math.floor(at / everyMs);
  if (known.some(({ at }) => slot(at) === slot(added.at))) return known;
  const first = slot(added.at) - columns + 1;
  return [...known.filter(({ at }) => slot(at) >= first), added].sort((a, b) => a.at - b.at);
}

/** The newest `columns` intervals up to that of the last book, as a grid; null without any book. */
export function gridOf(snapshots: readonly Snapshot[], everyMs: number, columns: number, rows: number): Grid | null {
  const last = snapshots.at(-1);
  const prices = snapshots.flatMap(({ bids, asks }) => [...bids, ...asks]).map(({ price }) => toPixels(price));
  if (!last || prices.length === 0) return null;
  const [low, high] = prices.reduce(([least, greatest], price) => [Math.min(least, price), Math.max(greatest, price)], [Infinity, -Infinity]);
  const step = (high - low) / rows || 1;
  const cells = new Float64Array(rows * columns);
  const middles = new Array<number | null>(columns).fill(null);
  const first = Math.floor(last.at / everyMs) - columns + 1;
  let most = 0;
  for (const { at, bids, asks } of snapshots) {
    const column = Math.floor(at / everyMs) - first;
    if (column < 0 || column >= columns) continue;
    for (const { price, quantity } of [...bids, ...asks]) {
      const row = Math.min(Math.floor((toPixels(price) - low) / step), rows - 1);
      const index = row * columns + column;
      cells[index] = (cells[index] ?? 0) + toPixels(quantity);
      most = Math.max(most, cells[index] ?? 0);
    }
    if (bids[0] && asks[0]) middles[column] = (toPixels(bids[0].price) + toPixels(asks[0].price)) / 2;
  }
  return { low, step, rows, columns, cells, most, middles };
}

/** The price ranges of a side where most has rested, in the mean over all books, the most first. */
export function strongest(snapshots: readonly Snapshot[], { low, step, rows }: Grid, side: Side, count: number): Strongest[] {
  const sums = new Map<number, number>();
  for (const { [side]: levels } of snapshots) {
    for (const { price, quantity } of levels) {
      const row = Math.min(Math.floor((toPixels(price) - low) / step), rows - 1);
      sums.set(row, (sums.get(row) ?? 0) + toPixels(quantity));
    }
  }
  return [...sums].sort(([, a], [, b]) => b - a).slice(0, count)
    .map(([row, sum]) => ({ from: low + row * step, to: low + (row + 1) * step, quantity: sum / snapshots.length }));
}

/** The cividis scale, which people see alike with and without any colour blindness, dark to bright. */
const SCALE: readonly [number, number, number][] = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];

/** The colour of a share of the greatest quantity: by its root, since a few large orders stand beside many small ones. */
export function heat(share: number): string {
  const at = Math.sqrt(Math.min(Math.max(share, 0), 1)) * (SCALE.length - 1);
  const index = Math.min(Math.floor(at), SCALE.length - 2);
  const [from, to] = [SCALE[index], SCALE[index + 1]] as [[number, number, number], [number, number, number]];
  const mixed = from.map((value, channel) => Math.round(value + ((to[channel] ?? 0) - value) * (at - index)));
  return `rgb(${mixed.join(' ')})`;
}
