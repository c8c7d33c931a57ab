import { useRef } from 'react';

/** A new idempotency key. `crypto.randomUUID` is missing where the page came over plain HTTP from another machine. */
export function newIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Keys for a form: the same request keeps its key until `settle` says that its outcome is known, so that pressing the button
 * again after an answer was lost can't do it twice.
 */
export function useRequestKey(): { keyOf: (request: unknown) => string; settle: () => void } {
  const last = useRef<{ request: string; key: string } | null>(null);
  return {
    keyOf: request => {
      const text = JSON.stringify(request);
      if (last.current?.request !== text) last.current = { request: text, key: newIdempotencyKey() };
      return last.current.key;
    },
    settle: () => { last.current = null; },
  };
}
