/** The fields that a backtest and a search have alike, and what the API takes for them. */
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { MarketField, ParameterFields, parameterInput, TimeframeField, VersionField } from '../../lab/fields.tsx';
import { VersionChoiceDocument } from '../../lab/lab.generated.ts';
import { isTimeframe } from '../../lab/timeframes.ts';
import type { BacktestRunInput, Timeframe } from '../../schema.generated.ts';
import { DecimalField } from '../../shared/form.tsx';
import type { PayloadError } from '../../transport/useSafeMutation.ts';
import { lastDays, toInput, type Period } from './period.ts';
import { PeriodFields } from './PeriodFields.tsx';
import { useText } from './text.ts';

export interface Run { version: string; market: string; timeframe: Timeframe; period: Period; equity: string; slippage: string; parameters: Record<string, string> }

export const RUN_FIELDS = ['strategyVersion', 'market', 'timeframe', 'from', 'to', 'initialEquity', 'slippageBps', 'parameters'];

/** The run of a form, which begins with what the address names; `input` is null while something is missing. */
export function useRun() {
  const [query] = useSearchParams();
  const [run, setRun] = useState<Run>(() => {
    const timeframe = query.get('timeframe') ?? '';
    return {
      version: query.get('version') ?? '', market: query.get('market') ?? 'sandbox:BTC/USDT', timeframe: isTimeframe(timeframe) ? timeframe : 'H1',
      period: lastDays(90, Date.now()), equity: '10000', slippage: '5', parameters: {},
    };
  });
  const [{ data }] = useQuery({ query: VersionChoiceDocument, variables: { id: run.version }, pause: !run.version });
  const version = data?.node && 'definition' in data.node && data.node.id === run.version ? data.node : null;
  const definitionParameters = version?.definition.parameters ?? [];
  const period = toInput(run.period);
  const input: BacktestRunInput | null = run.version && run.market && period ? {
    strategyVersion: run.version, market: run.market, timeframe: run.timeframe, ...period,
    initialEquity: run.equity || '0', slippageBps: run.slippage || '0', parameters: parameterInput(run.parameters, definitionParameters),
  } : null;
  return { run, setRun, version, input };
}

export function RunFields({ run, onRun, version, errors }: {
  run: Run; onRun: (run: Run) => void; version: ReturnType<typeof useRun>['version']; errors: readonly PayloadError[];
}) {
  const t = useText();
  return (
    <>
      <div className="fields">
        <VersionField value={run.version} errors={errors} other={version ? t('version', { name: version.strategy.name, number: version.number }) : undefined}
          onValue={value => onRun({ ...run, version: value, parameters: {} })} />
        <MarketField value={run.market} errors={errors} onValue={market => onRun({ ...run, market })} />
        <TimeframeField value={run.timeframe} errors={errors} onValue={timeframe => onRun({ ...run, timeframe })} />
      </div>
      <PeriodFields period={run.period} errors={errors} onPeriod={period => onRun({ ...run, period })} />
      <div className="fields">
        <DecimalField label={t('equity')} name="initialEquity" value={run.equity} errors={errors} onValue={equity => onRun({ ...run, equity })} />
        <DecimalField label={t('slippage')} name="slippageBps" value={run.slippage} errors={errors} hint={t('slippage.hint')} onValue={slippage => onRun({ ...run, slippage })} />
      </div>
      <ParameterFields parameters={version?.definition.parameters ?? []} values={run.parameters} errors={errors} onValues={parameters => onRun({ ...run, parameters })} />
    </>
  );
}
