/** Requests whose outcome isn't known: kept with their key, over a dialog that is closed and opened again, until it is. */
import { useState } from 'react';

const kept = new Map<string, unknown>();

/** What is kept for `slot`, such as the id of the order that it is about, and how to keep another or (null) nothing. */
export function useKept<T>(slot: string): [T | null, (request: T | null) => void] {
  const [, setCount] = useState(0);
  const keep = (request: T | null) => {
    if (request === null) kept.delete(slot);
    else kept.set(slot, request);
    setCount(count => count + 1);
  };
  return [(kept.get(slot) as T | undefined) ?? null, keep];
}
