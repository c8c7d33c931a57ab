import { useState } from 'react';
import { useText } from './text.ts';

/** Something that is shown this once and kept nowhere, with a button that copies it. */
export function Secret({ label, value }: { label: string; value: string }) {
  const t = useText();
  const [isCopied, setCopied] = useState(false);
  const copy = () => navigator.clipboard.writeText(value).then(() => setCopied(true), () => setCopied(false));
  return (
    <div className="notice warn stack">
      <strong>{label}</strong>
      <code className="account-secret">{value}</code>
      <div className="row">
        <button type="button" className="button small" onClick={() => void copy()}>{t('copy')}</button>
        <span className="muted" role="status">{isCopied ? t('copied') : t('shownOnce')}</span>
      </div>
    </div>
  );
}
