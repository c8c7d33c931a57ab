import { act, cleanup, renderHook } from '@testing-library/react';
import type { ReactNode } from 'react';
import { Provider, type Client } from 'urql';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PreviewAmendmentDocument } from './preview.generated.ts';
import { AGAIN_MS, PAUSE_MS, useDryRun } from './useDryRun.ts';

interface Asked { variables: Variables; isOpen: boolean; answer: (data: unknown) => void }
interface Variables { id: string; input: { price: string; idempotencyKey: string } }

let asked: Asked[];
const client = {
  query: (_document: unknown, variables: Variables) => ({
    subscribe: (listener: (result: unknown) => void) => {
      const request: Asked = { variables, isOpen: true, answer: data => { if (request.isOpen) act(() => listener({ data, stale: false })); } };
      asked.push(request);
      return { unsubscribe: () => { request.isOpen = false; } };
    },
  }),
} as unknown as Client;
const wrapper = ({ children }: { children: ReactNode }) => <Provider value={client}>{children}</Provider>;
const of = (price: string): Variables => ({ id: 'o', input: { price, idempotencyKey: 'k' } });
const preview = { accepted: true, errors: [], denials: [], checks: [], estimate: null };
const pass = (milliseconds: number) => act(() => { vi.advanceTimersByTime(milliseconds); });
const start = (variables: Variables | null) => renderHook((given: Variables | null) => useDryRun(PreviewAmendmentDocument, given), { wrapper, initialProps: variables });

beforeEach(() => { asked = []; vi.useFakeTimers(); });
afterEach(() => { cleanup(); vi.useRealTimers(); });

describe('a dry run', () => {
  it('is asked for once, a moment after the last change', () => {
    const hook = start(of('1'));
    pass(PAUSE_MS - 1);
    hook.rerender(of('12'));
    pass(PAUSE_MS - 1);
    expect(asked).toEqual([]);
    pass(1);
    expect(asked.map(({ variables }) => variables.input.price)).toEqual(['12']);
    expect(hook.result.current.state).toBe('checking');
    asked[0]?.answer({ __typename: 'Query', orderAmendPreview: preview });
    expect(hook.result.current).toEqual({ state: 'known', preview });
  });

  it('is cancelled when the input changes, and its answer is never shown for another input', () => {
    const hook = start(of('1'));
    pass(PAUSE_MS);
    hook.rerender(of('2'));
    expect(asked[0]?.isOpen).toBe(false);
    pass(PAUSE_MS);
    asked[1]?.answer({ orderAmendPreview: preview });
    hook.rerender(of('3'));
    expect(hook.result.current.state).toBe('checking');
  });

  it('is asked for again while it is shown, without hiding what is known', () => {
    const hook = start(of('1'));
    pass(PAUSE_MS);
    asked[0]?.answer({ orderAmendPreview: preview });
    pass(AGAIN_MS);
    expect([asked.length, hook.result.current.state]).toEqual([2, 'known']);
  });

  it('says that nothing is known without an answer', () => {
    const hook = start(of('1'));
    pass(PAUSE_MS);
    asked[0]?.answer(undefined);
    expect(hook.result.current.state).toBe('failed');
  });

  it('asks nothing without an input', () => {
    const hook = start(null);
    pass(AGAIN_MS);
    expect([asked.length, hook.result.current.state]).toEqual([0, 'none']);
    hook.unmount();
  });
});
