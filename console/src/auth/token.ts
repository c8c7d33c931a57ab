/** The login token: in this tab alone, or on this device if the user asks to stay signed in. */
import { useSyncExternalStore } from 'react';
import { basePath } from '../transport/address.ts';

const KEY = `r3edge:console:${basePath}:token`;
const listeners = new Set<() => void>();
let token: string | null = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
let hasExpired = false;

window.addEventListener('storage', event => {
  if (event.key === KEY && event.newValue === null && sessionStorage.getItem(KEY) === null) change(null); // signed out in another tab
});

function change(next: string | null): void {
  token = next;
  listeners.forEach(listener => listener());
}

export function signInWith(next: string, staysSignedIn: boolean): void {
  hasExpired = false;
  (staysSignedIn ? localStorage : sessionStorage).setItem(KEY, next);
  change(next);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  change(null);
}

/** Forgets a token that the engine doesn't accept any more; `useHasExpired` is true until the next sign-in. */
export function expireSession(expired: string | null): void {
  if (expired === null || expired !== token) return;
  hasExpired = true;
  forgetToken();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useToken = (): string | null => useSyncExternalStore(subscribe, () => token);
export const useHasExpired = (): boolean => useSyncExternalStore(subscribe, () => hasExpired);
