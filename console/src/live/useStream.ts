/** Subscriptions without cursors, of market data: straight from the socket, past the cache, since they come often. */
import { stringifyDocument, type AnyVariables, type TypedDocumentNode } from '@urql/core';
import { useEffect, useRef } from 'react';
import { resume } from '../transport/resume.ts';
import { useTransport } from '../transport/TransportProvider.tsx';

interface Options {
  isPaused?: boolean;
  /** The connection was lost: what was shown is of the past until data come again. */
  onInterrupted?: () => void;
  onError?: (message: string) => void;
}

/** Follows a subscription while the component is shown, over every interruption; data after one may begin with a snapshot. */
export function useStream<D, V extends AnyVariables>(
  document: TypedDocumentNode<D, V>, variables: V, onData: (data: D) => void, { isPaused = false, onInterrupted, onError }: Options = {},
): void {
  const { socket } = useTransport();
  const handlers = useRef({ onData, onInterrupted, onError });
  useEffect(() => { handlers.current = { onData, onInterrupted, onError }; });
  const key = JSON.stringify(variables);
  useEffect(() => {
    if (isPaused) return undefined;
    const request = { query: stringifyDocument(document), variables: JSON.parse(key) as Record<string, unknown> };
    return resume(socket, request, {
      next: result => {
        if (result.data) handlers.current.onData(result.data as D);
        else handlers.current.onError?.(result.errors?.[0]?.message ?? '');
      },
      error: error => handlers.current.onError?.(messageOf(error)),
      complete: () => undefined,
      interrupted: () => handlers.current.onInterrupted?.(),
    });
  }, [socket, document, key, isPaused]);
}

function messageOf(error: unknown): string {
  const first: unknown = Array.isArray(error) ? error[0] : error;
  return (first as { message?: string } | null)?.message ?? '';
}
