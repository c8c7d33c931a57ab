import { describe, expect, it } from 'vitest';
import { nextStep, stepsOf } from './steps.ts';

const NONE = { nodes: [] };
const ONE = { nodes: [{ id: 'x' }] };
const viewer = { id: 'u', role: 'USER' as const, displayName: null, accounts: NONE, orders: NONE, strategies: NONE, backtests: NONE, tradingSessions: NONE };

describe('the steps of a first visit', () => {
  it('begin with registering', () => expect(nextStep(stepsOf(null))).toBe('register'));
  it('lead from the account to the order', () => {
    expect(nextStep(stepsOf(viewer))).toBe('account');
    expect(nextStep(stepsOf({ ...viewer, accounts: ONE }))).toBe('market');
    expect(nextStep(stepsOf({ ...viewer, accounts: ONE, orders: ONE }))).toBe('strategy');
  });
  it('end once there is a session', () => {
    expect(nextStep(stepsOf({ ...viewer, accounts: ONE, orders: ONE, strategies: ONE, backtests: ONE, tradingSessions: ONE }))).toBeNull();
  });
  it('claim nothing that could not be read', () => {
    expect(stepsOf({ ...viewer, accounts: null, orders: null }).filter(({ isDone }) => isDone).map(({ name }) => name)).toEqual(['register']);
  });
});
