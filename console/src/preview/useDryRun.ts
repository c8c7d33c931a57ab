/** Asks what a mutation would do while its input is typed: a moment after the last change, and never about an older input. */
import type { TypedDocumentNode } from '@urql/core';
import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import { useUserEvents } from '../live/events.tsx';
import type { PreviewFragment } from './preview.generated.ts';

export type DryRun =
  | { state: 'none' | 'checking' | 'failed'; preview: null }
  | { state: 'known'; preview: PreviewFragment };

export const PAUSE_MS = 300;
/** The market and the balances move: what is shown is asked for again. */
export const AGAIN_MS = 10_000;

const NONE: DryRun = { state: 'none', preview: null };
const CHECKING: DryRun = { state: 'checking', preview: null };

/** `variables` are null as long as there is nothing to ask. Of two answers the one for another input is dropped. */
export function useDryRun<D extends object, V extends object>(document: TypedDocumentNode<D, V>, variables: V | null): DryRun {
  const client = useClient();
  const key = variables === null ? null : JSON.stringify(variables);
  const [known, setKnown] = useState<{ key: string; run: DryRun } | null>(null);
  const [asked, setAsked] = useState(0);
  useUserEvents(['ORDER', 'FILL', 'ACCOUNT'], () => setAsked(times => times + 1));
  useEffect(() => {
    if (key === null) return undefined;
    let request: { unsubscribe: () => void } | undefined;
    const ask = () => {
      request?.unsubscribe();
      request = client.query(document, JSON.parse(key) as V, { requestPolicy: 'network-only' }).subscribe(({ data, stale }) => {
        if (stale) return;
        const preview = (Object.entries(data ?? {}).find(([name]) => name !== '__typename')?.[1] ?? null) as PreviewFragment | null;
        setKnown({ key, run: preview ? { state: 'known', preview } : { state: 'failed', preview: null } });
      });
    };
    const first = setTimeout(ask, PAUSE_MS);
    const again = setInterval(ask, AGAIN_MS);
    return () => { clearTimeout(first); clearInterval(again); request?.unsubscribe(); };
  }, [client, document, key, asked]);
  if (key === null) return NONE;
  return known?.key === key ? known.run : CHECKING;
}
