/** The period of a run, as days in UTC, its last day included. */
export interface Period { from: string; to: string }

const DAY_MS = 86_400_000;
const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

export const lastDays = (days: number, now: number): Period => ({ from: day(now - days * DAY_MS), to: day(now) });

/** The period as the API takes it, whose end is exclusive; null where a day is missing. */
export function toInput({ from, to }: Period): { from: string; to: string } | null {
  if (!/^\d{4}-\d\d-\d\d$/.test(from) || !/^\d{4}-\d\d-\d\d$/.test(to)) return null;
  return { from: `${from}T00:00:00Z`, to: `${day(Date.parse(to) + DAY_MS)}T00:00:00Z` };
}
