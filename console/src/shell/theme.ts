/** Dark, light, or as the system. */
import { useSyncExternalStore } from 'react';

export const THEMES = ['system', 'dark', 'light'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'r3edge:console:theme';
const light = window.matchMedia('(prefers-color-scheme: light)');
const listeners = new Set<() => void>();
const stored = localStorage.getItem(KEY);
let theme: Theme = THEMES.find(name => name === stored) ?? 'system';

const shown = (): 'dark' | 'light' => (theme === 'system' ? (light.matches ? 'light' : 'dark') : theme);

function apply(): void {
  document.documentElement.dataset['theme'] = shown();
  listeners.forEach(listener => listener());
}

light.addEventListener('change', apply);
apply();

export function setTheme(next: Theme): void {
  theme = next;
  localStorage.setItem(KEY, next);
  apply();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => theme);
/** The theme that is shown now, for what draws by itself. */
export const useShownTheme = (): 'dark' | 'light' => useSyncExternalStore(subscribe, shown);
