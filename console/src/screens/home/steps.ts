/** What a first visit leads to, in order; each step says from the engine's own objects whether it is done. */
import type { StartQuery } from './home.generated.ts';

export const STEPS = ['register', 'account', 'market', 'order', 'strategy', 'backtest', 'session'] as const;
export type StepName = (typeof STEPS)[number];
export interface Step { name: StepName; isDone: boolean }

type Viewer = StartQuery['viewer'];

/** A live market counts as seen once an order was placed on one: the engine keeps no record of what is looked at. */
export function stepsOf(viewer: Viewer): Step[] {
  const has = (list: { nodes: readonly unknown[] } | null | undefined): boolean => (list?.nodes.length ?? 0) > 0;
  const hasOrder = has(viewer?.orders);
  const done: Record<StepName, boolean> = {
    register: viewer !== null, account: has(viewer?.accounts), market: hasOrder, order: hasOrder,
    strategy: has(viewer?.strategies), backtest: has(viewer?.backtests), session: has(viewer?.tradingSessions),
  };
  return STEPS.map(name => ({ name, isDone: done[name] }));
}

/** The first step that isn't done, if any. */
export const nextStep = (steps: readonly Step[]): StepName | null => steps.find(({ isDone }) => !isDone)?.name ?? null;
