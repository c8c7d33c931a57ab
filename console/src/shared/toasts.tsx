/** Short reports of what happened, read out by screen readers; errors stay until they are dismissed. */
import { useSyncExternalStore } from 'react';
import { useText } from './text.ts';

interface Toast { id: number; text: string; tone: 'info' | 'error' }

const SHOWN_MS = 6_000;
let toasts: readonly Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function change(next: readonly Toast[]): void {
  toasts = next;
  listeners.forEach(listener => listener());
}

const dismiss = (id: number): void => change(toasts.filter(toast => toast.id !== id));

export function showToast(text: string, tone: Toast['tone'] = 'info'): void {
  lastId += 1;
  const id = lastId;
  change([...toasts.slice(-4), { id, text, tone }]);
  if (tone === 'info') setTimeout(() => dismiss(id), SHOWN_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const t = useText();
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text, tone }) => (
        <div className={`toast ${tone}`} key={id}>
          <span>{text}</span>
          <button type="button" className="button quiet small" aria-label={t('dismiss')} onClick={() => dismiss(id)}>×</button>
        </div>
      ))}
    </div>
  );
}
