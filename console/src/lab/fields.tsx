/** Fields that name a market, a length of candles, a strategy's version and values for its parameters. */
import { useDeferredValue, useId } from 'react';
import { useQuery } from 'urql';
import { DecimalField, SelectField, TextField } from '../shared/form.tsx';
import type { PayloadError } from '../transport/useSafeMutation.ts';
import { MarketChoicesDocument, StrategyChoicesDocument } from './lab.generated.ts';
import type { Timeframe } from '../schema.generated.ts';
import { useText } from './text.ts';
import { isTimeframe, TIMEFRAMES } from './timeframes.ts';

type Errors = readonly PayloadError[] | undefined;

export function MarketField({ value, onValue, errors }: { value: string; onValue: (symbol: string) => void; errors?: Errors }) {
  const t = useText();
  const list = useId();
  const search = useDeferredValue(value);
  const [{ data }] = useQuery({ query: MarketChoicesDocument, variables: { search: search || null } });
  return (
    <>
      <TextField label={t('market')} name="market" list={list} value={value} errors={errors} required autoComplete="off" hint={t('market.hint')}
        onChange={event => onValue(event.target.value.trim())} />
      <datalist id={list}>{data?.markets?.nodes.map(({ symbol }) => <option key={symbol} value={symbol} />)}</datalist>
    </>
  );
}

export function TimeframeField({ value, onValue, errors }: { value: Timeframe; onValue: (timeframe: Timeframe) => void; errors?: Errors }) {
  const t = useText();
  return (
    <SelectField label={t('timeframe')} name="timeframe" value={value} errors={errors} onChange={({ target }) => { if (isTimeframe(target.value)) onValue(target.value); }}>
      {Object.entries(TIMEFRAMES).map(([name, label]) => <option key={name} value={name}>{label}</option>)}
    </SelectField>
  );
}

/** The newest versions of the user's strategies; one that isn't among them, such as an older one, is shown by `other`. */
export function VersionField({ value, onValue, errors, other }: { value: string; onValue: (version: string) => void; errors?: Errors; other?: string | undefined }) {
  const t = useText();
  const [{ data }] = useQuery({ query: StrategyChoicesDocument, requestPolicy: 'cache-and-network' });
  const strategies = data?.viewer?.strategies?.nodes ?? [];
  const isAmong = strategies.some(({ version }) => version.id === value);
  return (
    <SelectField label={t('strategy')} name="strategyVersion" value={value} errors={errors} required onChange={event => onValue(event.target.value)}>
      <option value="">{t('strategy.choose')}</option>
      {value && !isAmong && <option value={value}>{other ?? '…'}</option>}
      {strategies.map(({ name, version }) => <option key={version.id} value={version.id}>{t('strategy.version', { name, number: version.number })}</option>)}
    </SelectField>
  );
}

interface Parameter { name: string; default: string; min?: string | null; max?: string | null }

/** A field for each parameter; one that is left empty keeps its default. */
export function ParameterFields({ parameters, values, onValues, errors }: {
  parameters: readonly Parameter[]; values: Record<string, string>; onValues: (values: Record<string, string>) => void; errors?: Errors;
}) {
  const t = useText();
  if (parameters.length === 0) return null;
  return (
    <fieldset className="stack">
      <legend className="muted">{t('parameters')}</legend>
      <div className="fields">
        {parameters.map(({ name, default: usual, min, max }, index) => (
          <DecimalField key={name} name={`parameter-${name}`} label={name} value={values[name] ?? ''} placeholder={usual}
            hint={min && max ? t('parameters.range', { min, max }) : t('parameters.fixed')}
            errors={errors?.filter(({ path }) => path?.includes('parameters') && path.includes(String(index))).map(error => ({ ...error, path: [`parameter-${name}`] }))}
            onValue={value => onValues({ ...values, [name]: value })} />
        ))}
      </div>
    </fieldset>
  );
}

/** The values that aren't empty, as the API takes them. */
export const parameterInput = (values: Record<string, string>, parameters: readonly Parameter[]): { name: string; value: string }[] =>
  parameters.flatMap(({ name }) => (values[name] ? [{ name, value: values[name] }] : []));
