/** Sends a mutation, again with the same idempotency key while its answer is lost, and reports what is known of it. */
import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { useCallback, useState } from 'react';
import { useClient } from 'urql';

export interface PayloadError {
  code: string;
  message: string;
  path?: string[] | null;
}

interface Payload {
  errors: PayloadError[];
}

export type Outcome<P> =
  | { kind: 'done'; payload: P }
  | { kind: 'rejected'; payload: P | null; errors: PayloadError[] }
  /** No answer came: the mutation may have been executed. */
  | { kind: 'unknown'; message: string };

type PayloadOf<D> = NonNullable<D[keyof D & Exclude<keyof D, '__typename'>]>;

const ATTEMPTS = 4;
const PAUSE_MS = 700;
const TRY_AGAIN = new Set(['UNAVAILABLE', 'RATE_LIMITED']);

/** `isIdempotent` says that the variables have an idempotency key, so that sending them again is safe. */
export function useSafeMutation<D extends object, V extends AnyVariables>(
  document: TypedDocumentNode<D, V>, { isIdempotent = false } = {},
): [(variables: V) => Promise<Outcome<PayloadOf<D>>>, boolean] {
  const client = useClient();
  const [isSending, setSending] = useState(false);
  const send = useCallback(async (variables: V): Promise<Outcome<PayloadOf<D>>> => {
    setSending(true);
    try {
      let message = '';
      for (let attempt = 0; attempt < (isIdempotent ? ATTEMPTS : 1); attempt += 1) {
        if (attempt > 0) await new Promise(resolve => setTimeout(resolve, PAUSE_MS * attempt));
        const { data, error } = await client.mutation(document, variables).toPromise();
        const payload = payloadOf(data);
        if (payload) {
          const { errors } = payload as unknown as Payload;
          return errors.length === 0 ? { kind: 'done', payload } : { kind: 'rejected', payload, errors };
        }
        const failed = error?.graphQLErrors[0];
        const code = String(failed?.extensions['code'] ?? '');
        message = failed?.message ?? error?.message ?? '';
        if (failed && code !== 'INTERNAL' && !TRY_AGAIN.has(code)) {
          return { kind: 'rejected', payload: null, errors: [{ code, message }] };
        }
      }
      return { kind: 'unknown', message };
    } finally {
      setSending(false);
    }
  }, [client, document, isIdempotent]);
  return [send, isSending];
}

function payloadOf<D extends object>(data: D | null | undefined): PayloadOf<D> | null {
  const entry = Object.entries(data ?? {}).find(([name]) => name !== '__typename');
  return (entry?.[1] ?? null) as PayloadOf<D> | null;
}
