import { useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { LineChart } from '../../charts/LineChart.tsx';
import { FiguresTable } from '../../lab/Figures.tsx';
import { TIMEFRAMES } from '../../lab/timeframes.ts';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { BacktestDocument, type BacktestDetailFragment } from './backtests.generated.ts';
import { marketsOf } from './Backtests.tsx';
import { align } from './compare.ts';
import { useText } from './text.ts';
import '../../lab/lab.css';

export default function BacktestCompare() {
  const t = useText();
  const [query] = useSearchParams();
  const [a, b] = [useQuery({ query: BacktestDocument, variables: { id: query.get('a') ?? '' } }), useQuery({ query: BacktestDocument, variables: { id: query.get('b') ?? '' } })];
  const failed = [a, b].find(([{ error }]) => error);
  if (failed?.[0].error) return <ErrorState error={failed[0].error} onRetry={() => failed[1]({ requestPolicy: 'network-only' })} />;
  if (a[0].fetching || b[0].fetching) return <Loading />;
  const [left, right] = [a, b].map(([{ data }]) => (data?.node && 'equityCurve' in data.node ? data.node : null));
  if (!left || !right) return <Page title={t('compare.title')}><EmptyState title={t('missing')} action={<Link className="button" to="/backtests">{t('title')}</Link>} /></Page>;
  return <Pair left={left} right={right} />;
}

function Pair({ left, right }: { left: BacktestDetailFragment; right: BacktestDetailFragment }) {
  const t = useText();
  const name = (letter: string, backtest: BacktestDetailFragment) =>
    `${letter}: ${backtest.strategyVersion ? t('version', { name: backtest.strategyVersion.strategy.name, number: backtest.strategyVersion.number }) : t('definition')}`;
  const [titleA, titleB] = [name('A', left), name('B', right)];
  const { times, a, b } = useMemo(() => align(left.equityCurve, right.equityCurve), [left, right]);
  const lines = useMemo(() => [{ title: titleA, values: a }, { title: titleB, values: b, token: 'down' }], [titleA, titleB, a, b]);
  const isOtherPeriod = left.from !== right.from || left.to !== right.to || marketsOf(left) !== marketsOf(right);
  return (
    <Page title={t('compare.title')}>
      {isOtherPeriod && <div className="notice warn">{t('compare.otherPeriod')}</div>}
      <Panel title={t('compare.growth')}><div className="body"><LineChart label={t('compare.label')} times={times} lines={lines} height={280} /></div></Panel>
      <Panel title={t('figures')}><FiguresTable label={t('compare.title')} columns={[{ title: titleA, figures: left.metrics }, { title: titleB, figures: right.metrics }]} /></Panel>
      <div className="split">
        {[[titleA, left] as const, [titleB, right] as const].map(([title, backtest]) => (
          <Panel key={title} title={title}>
            <div className="body stack">
              <Link to={`/backtests/${backtest.id}`}>{marketsOf(backtest)} · {TIMEFRAMES[backtest.timeframe]}</Link>
              <div className="row">{backtest.parameters.map(({ name: parameter, value }) => <span className="badge" key={parameter}>{parameter} = {value}</span>)}</div>
            </div>
          </Panel>
        ))}
      </div>
    </Page>
  );
}
