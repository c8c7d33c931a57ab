/** What the risk checks would say of an order that isn't placed yet. */
import { Denials } from '../reasons/Reasons.tsx';
import { useErrorText } from '../shared/errors.ts';
import type { DryRun } from './useDryRun.ts';
import { useText } from './text.ts';
import './preview.css';

export function Verdict({ run }: { run: DryRun }) {
  const t = useText();
  return <div className="verdict" role="status" aria-label={t('label')}><Words run={run} /></div>;
}

function Words({ run: { state, preview } }: { run: DryRun }) {
  const t = useText();
  const { ofPayload } = useErrorText();
  if (preview === null) {
    if (state === 'none') return null;
    return <p className="hint muted">{t(state === 'checking' ? 'checking' : 'unknown')}</p>;
  }
  const { accepted, errors, denials, checks } = preview;
  if (accepted) return <p className="hint"><span aria-hidden="true">✓ </span>{t('accepted', { count: checks.filter(({ passed }) => passed).length })}</p>;
  return (
    <div className="notice warn">
      <p><span aria-hidden="true">✗ </span>{t(errors.length > 0 ? 'invalid' : 'denied')}</p>
      {errors.map(error => <p key={error.message}>{ofPayload(error)}</p>)}
      <Denials denials={denials} />
    </div>
  );
}
