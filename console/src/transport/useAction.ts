import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { useState } from 'react';
import { useText as useSharedText } from '../shared/text.ts';
import { useSafeMutation, type PayloadError } from './useSafeMutation.ts';

type PayloadOf<D> = NonNullable<D[keyof D & Exclude<keyof D, '__typename'>]>;

/** A mutation whose errors stand beside its form; `run` gives its payload, or null where it failed or nothing is known. */
export function useAction<D extends object, V extends AnyVariables>(document: TypedDocumentNode<D, V>) {
  const shared = useSharedText();
  const [errors, setErrors] = useState<readonly PayloadError[]>([]);
  const [send, isSending] = useSafeMutation(document);
  const run = async (variables: V): Promise<PayloadOf<D> | null> => {
    const outcome = await send(variables);
    if (outcome.kind === 'done') { setErrors([]); return outcome.payload; }
    setErrors(outcome.kind === 'rejected' ? outcome.errors : [{ code: 'network', message: shared('error.network') }]);
    return null;
  };
  return { run, isSending, errors };
}
