import { useState, type FormEvent } from 'react';
import { Link, useNavigate } from 'react-router';
import { CheckField, FormErrors } from '../../shared/form.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { useRequestKey } from '../../transport/idempotency.ts';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import { RunBacktestDocument } from './backtests.generated.ts';
import { RUN_FIELDS, RunFields, useRun } from './RunFields.tsx';
import { useText } from './text.ts';
import '../../lab/lab.css';

export default function BacktestNew() {
  const t = useText();
  const navigate = useNavigate();
  const { run, setRun, version, input } = useRun();
  const [checks, setChecks] = useState(false);
  const [errors, setErrors] = useState<PayloadError[]>([]);
  const [send, isSending] = useSafeMutation(RunBacktestDocument, { isIdempotent: true });
  const { keyOf, settle } = useRequestKey();
  const start = async (event: FormEvent) => {
    event.preventDefault();
    if (!input) return;
    const request = { ...input, checks };
    const outcome = await send({ input: { ...request, idempotencyKey: keyOf(request) } });
    if (outcome.kind !== 'unknown') settle();
    setErrors(outcome.kind === 'rejected' ? outcome.errors : []);
    if (outcome.kind === 'unknown') showToast(t('unknown'), 'error');
    if (outcome.kind === 'done' && outcome.payload.backtest) await navigate(`/backtests/${outcome.payload.backtest.id}`);
  };
  return (
    <Page title={t('new')}>
      <form className="stack" onSubmit={event => void start(event)}>
        <Panel title={t('what')} actions={<Link to="/strategies">{t('toStrategies')}</Link>}>
          <div className="body stack">
            <RunFields run={run} onRun={setRun} version={version} errors={errors} />
            <CheckField label={t('checks.ask')} checked={checks} onChange={event => setChecks(event.target.checked)} />
            <FormErrors errors={errors} fields={RUN_FIELDS} />
            <div><button type="submit" className="button primary" disabled={isSending || !input}>{t('run')}</button></div>
            <p className="muted">{t('limits')}</p>
          </div>
        </Panel>
      </form>
    </Page>
  );
}
