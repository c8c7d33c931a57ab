import { expect, it } from 'vitest';
import { align } from './compare.ts';

const at = (day: number) => `2026-01-0${day}T00:00:00Z`;

it('curves of different times and amounts are aligned, in percent of their start', () => {
  const a = [{ at: at(1), equity: '100' }, { at: at(3), equity: '110' }];
  const b = [{ at: at(2), equity: '1000' }, { at: at(3), equity: '990' }, { at: at(4), equity: '1001' }];
  expect(align(a, b)).toEqual({
    times: [at(1), at(2), at(3), at(4)], a: ['0', '0', '10', null], b: [null, '0', '-1', '0.1'],
  });
});

it('a curve without a value at its start has none', () => {
  expect(align([], [{ at: at(1), equity: '5' }]).a).toEqual([null]);
});
