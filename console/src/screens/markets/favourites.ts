/** The markets that the user has marked, on this device. */
import { useSyncExternalStore } from 'react';

const KEY = 'r3edge:console:favourites';
const listeners = new Set<() => void>();
let favourites: ReadonlySet<string> = new Set(stored());

function stored(): string[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.map(String) : [];
  } catch {
    return [];
  }
}

export function toggleFavourite(symbol: string): void {
  const next = new Set(favourites);
  if (!next.delete(symbol)) next.add(symbol);
  favourites = next;
  localStorage.setItem(KEY, JSON.stringify([...next]));
  listeners.forEach(listener => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useFavourites = (): ReadonlySet<string> => useSyncExternalStore(subscribe, () => favourites);
