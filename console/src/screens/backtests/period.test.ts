import { expect, it } from 'vitest';
import { lastDays, toInput } from './period.ts';

it('the last days end today, in UTC', () => {
  expect(lastDays(30, Date.parse('2026-03-31T23:30:00Z'))).toEqual({ from: '2026-03-01', to: '2026-03-31' });
});

it('the last day of a period is part of it', () => {
  expect(toInput({ from: '2026-02-01', to: '2026-02-28' })).toEqual({ from: '2026-02-01T00:00:00Z', to: '2026-03-01T00:00:00Z' });
});

it('a period without an end is none', () => {
  expect(toInput({ from: '2026-02-01', to: '' })).toBeNull();
});
