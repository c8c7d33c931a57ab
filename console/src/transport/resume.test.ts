import type { Client, FormattedExecutionResult, Sink } from 'graphql-ws';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resume } from './resume.ts';

type Result = FormattedExecutionResult<Record<string, unknown>, unknown>;
let subscribed: { variables: unknown; sink: Sink<Result> }[];
const client = { subscribe: (request: { variables?: unknown }, sink: Sink<Result>) => {
  subscribed.push({ variables: request.variables, sink });
  return () => undefined;
} } as unknown as Client;
const sink = () => ({ next: vi.fn(), error: vi.fn(), complete: vi.fn(), interrupted: vi.fn() });
const event = (cursor: string): Result => ({ data: { events: { cursor } } });

beforeEach(() => { subscribed = []; vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

describe('a subscription that is resumed', () => {
  it('goes on after the last cursor when the connection is lost', () => {
    const received = sink();
    resume(client, { query: '', variables: { after: 'a' } }, received);
    subscribed[0]?.sink.next(event('b'));
    subscribed[0]?.sink.error({ code: 1006 });
    vi.runAllTimers();
    expect(subscribed[1]?.variables).toEqual({ after: 'b' });
    expect(received.interrupted).toHaveBeenCalledOnce();
  });

  it('goes on after an error that passes, and reports none', () => {
    const received = sink();
    resume(client, { query: '', variables: { after: 'a' } }, received);
    subscribed[0]?.sink.next({ errors: [{ message: '', extensions: { code: 'SLOW_READER' } }] } as unknown as Result);
    subscribed[0]?.sink.complete();
    vi.runAllTimers();
    expect(subscribed).toHaveLength(2);
    expect([received.next, received.complete].map(each => each.mock.calls.length)).toEqual([0, 0]);
  });

  it('ends where connecting again would not help', () => {
    const received = sink();
    resume(client, { query: '' }, received);
    subscribed[0]?.sink.error({ code: 4403 });
    vi.runAllTimers();
    expect(subscribed).toHaveLength(1);
    expect(received.error).toHaveBeenCalledOnce();
  });

  it('does not come back after it was ended', () => {
    const stop = resume(client, { query: '' }, sink());
    subscribed[0]?.sink.error({ code: 1012 });
    stop();
    vi.runAllTimers();
    expect(subscribed).toHaveLength(1);
  });
});
