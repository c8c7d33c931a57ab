/** Two equity curves over the same times, each in percent of its start, so that different amounts can be compared. */
import { big } from '../../format/decimal.ts';

interface Point { at: string; equity: string }
export interface Aligned { times: string[]; a: (string | null)[]; b: (string | null)[] }

export function align(a: readonly Point[], b: readonly Point[]): Aligned {
  const times = [...new Set([...a, ...b].map(({ at }) => at))].sort((left, right) => Date.parse(left) - Date.parse(right));
  return { times, a: follow(a, times), b: follow(b, times) };
}

/** The newest value at each time, null before the first and after the last. */
function follow(points: readonly Point[], times: readonly string[]): (string | null)[] {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last || big(first.equity).eq(0)) return times.map(() => null);
  let index = -1;
  return times.map(at => {
    while (points[index + 1] && Date.parse(points[index + 1]?.at ?? '') <= Date.parse(at)) index += 1;
    const point = points[index];
    return point && Date.parse(at) <= Date.parse(last.at) ? big(point.equity).div(first.equity).minus(1).times(100).round(4, 0).toString() : null;
  });
}
