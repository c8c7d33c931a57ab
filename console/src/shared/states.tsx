import type { CombinedError } from '@urql/core';
import { Component, type ReactNode } from 'react';
import { useErrorText } from './errors.ts';
import { useText } from './text.ts';

export function Loading() {
  const t = useText();
  return <div className="state" role="status"><div className="spinner" aria-hidden="true" /><span>{t('loading')}</span></div>;
}

/** What to show where there is nothing yet: `title` says what is missing, `children` what to do, `action` is the way there. */
export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return <div className="state"><strong>{title}</strong>{children && <p>{children}</p>}{action}</div>;
}

export function ErrorState({ error, onRetry }: { error: CombinedError; onRetry?: () => void }) {
  const t = useText();
  const { ofQuery } = useErrorText();
  return (
    <div className="state" role="alert">
      <strong>{t('error.title')}</strong>
      <p>{ofQuery(error)}</p>
      {onRetry && <button type="button" className="button" onClick={onRetry}>{t('retry')}</button>}
    </div>
  );
}

/** Keeps a screen that fails from taking the console with it. */
export class CrashBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() { return { failed: true }; }
  override render() { return this.state.failed ? <Crash /> : this.props.children; }
}

function Crash() {
  const t = useText();
  return (
    <div className="state" role="alert">
      <strong>{t('crash.title')}</strong><p>{t('crash.text')}</p>
      <button type="button" className="button" onClick={() => location.reload()}>{t('retry')}</button>
    </div>
  );
}
