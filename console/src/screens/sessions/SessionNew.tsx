import { useState, type FormEvent } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { MarketField, ParameterFields, parameterInput, TimeframeField, VersionField } from '../../lab/fields.tsx';
import { VersionChoiceDocument } from '../../lab/lab.generated.ts';
import { isTimeframe } from '../../lab/timeframes.ts';
import type { Timeframe } from '../../schema.generated.ts';
import { FormErrors } from '../../shared/form.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { useRequestKey } from '../../transport/idempotency.ts';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import { AccountField } from './AccountField.tsx';
import { StartSessionDocument } from './sessions.generated.ts';
import { useText } from './text.ts';
import '../../lab/lab.css';

export default function SessionNew() {
  const t = useText();
  const navigate = useNavigate();
  const [query] = useSearchParams();
  const asked = query.get('timeframe') ?? '';
  const [version, setVersion] = useState(query.get('version') ?? '');
  const [account, setAccount] = useState(query.get('account') ?? '');
  const [market, setMarket] = useState(query.get('market') ?? 'sandbox:BTC/USDT');
  const [timeframe, setTimeframe] = useState<Timeframe>(isTimeframe(asked) ? asked : 'M1');
  const [values, setValues] = useState<Record<string, string>>({});
  const [errors, setErrors] = useState<PayloadError[]>([]);
  const [{ data }] = useQuery({ query: VersionChoiceDocument, variables: { id: version }, pause: !version });
  const [send, isSending] = useSafeMutation(StartSessionDocument, { isIdempotent: true });
  const chosen = data?.node && 'definition' in data.node && data.node.id === version ? data.node : null;
  const parameters = chosen?.definition.parameters ?? [];
  const { keyOf, settle } = useRequestKey();
  const start = async (event: FormEvent) => {
    event.preventDefault();
    const request = { strategyVersion: version, account, market, timeframe, parameters: parameterInput(values, parameters) };
    const outcome = await send({ input: { ...request, idempotencyKey: keyOf(request) } });
    if (outcome.kind !== 'unknown') settle();
    setErrors(outcome.kind === 'rejected' ? outcome.errors : []);
    if (outcome.kind === 'unknown') showToast(t('unknown'), 'error');
    if (outcome.kind === 'done' && outcome.payload.tradingSession) await navigate(`/sessions/${outcome.payload.tradingSession.id}`);
  };
  return (
    <Page title={t('new')}>
      <form onSubmit={event => void start(event)}>
        <Panel title={t('what')} actions={<Link to="/strategies">{t('toStrategies')}</Link>}>
          <div className="body stack">
            <div className="fields">
              <VersionField value={version} errors={errors} other={chosen ? t('version', { name: chosen.strategy.name, number: chosen.number }) : undefined} onValue={value => { setVersion(value); setValues({}); }} />
              <MarketField value={market} errors={errors} onValue={setMarket} />
              <TimeframeField value={timeframe} errors={errors} onValue={setTimeframe} />
            </div>
            <AccountField value={account} onValue={setAccount} market={market} errors={errors} />
            <ParameterFields parameters={parameters} values={values} onValues={setValues} errors={errors} />
            <FormErrors errors={errors} fields={['strategyVersion', 'account', 'market', 'timeframe', 'parameters']} />
            <div><button type="submit" className="button primary" disabled={isSending || !version || !account || !market}>{t('start')}</button></div>
            <p className="muted">{t('start.help')}</p>
          </div>
        </Panel>
      </form>
    </Page>
  );
}
