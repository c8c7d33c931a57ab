/** Follows a subscription over every interruption, on from the last cursor, as docs/api.md asks of clients. */
import type { Client, FormattedExecutionResult } from 'graphql-ws';

export interface Request {
  query: string;
  variables?: Record<string, unknown>;
}

export interface Sink {
  next: (result: FormattedExecutionResult<Record<string, unknown>, unknown>) => void;
  error: (error: unknown) => void;
  complete: () => void;
  /** The connection was lost; what comes next may begin with a snapshot. */
  interrupted?: () => void;
}

const TRANSIENT = new Set(['UNAVAILABLE', 'SLOW_READER', 'RATE_LIMITED']);
/** What connecting again can't correct: 4403 is a token that isn't accepted, the others are mistakes in messages. */
const FINAL_CLOSES = new Set([1008, 1009, 4400, 4401, 4403, 4406, 4409, 4429]);
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

interface CodedError {
  extensions?: { code?: unknown };
}

const isTransient = (errors: readonly CodedError[]): boolean =>
  errors.every(({ extensions }) => TRANSIENT.has(String(extensions?.code)));

export function isFinal(error: unknown): boolean {
  if (Array.isArray(error)) return !isTransient(error as CodedError[]);
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' && FINAL_CLOSES.has(code);
}

/** Subscribes, and again after each interruption; returns a function that ends it. */
export function resume(client: Client, { query, variables }: Request, sink: Sink): () => void {
  let stop = (): void => undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let after = variables?.['after'];
  let pause = FIRST_PAUSE_MS;
  let ended = false;
  let isWaiting = false;
  const again = (): void => {
    if (ended || isWaiting) return;
    isWaiting = true;
    sink.interrupted?.();
    timer = setTimeout(subscribe, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  };
  const subscribe = (): void => {
    isWaiting = false;
    const request = { query, variables: after === undefined ? variables : { ...variables, after } };
    stop = client.subscribe<Record<string, unknown>>(request as { query: string; variables?: Record<string, unknown> }, {
      next: result => {
        if (!result.data && result.errors && isTransient(result.errors)) return again();
        pause = FIRST_PAUSE_MS;
        const event = Object.values(result.data ?? {})[0] as { cursor?: unknown } | null | undefined;
        after = event?.cursor ?? after;
        sink.next(result);
      },
      error: error => {
        if (!isFinal(error)) again();
        else if (!ended) sink.error(error);
      },
      complete: () => {
        if (!ended && !isWaiting) sink.complete();
      },
    });
  };
  subscribe();
  return () => {
    ended = true;
    clearTimeout(timer);
    stop();
  };
}
