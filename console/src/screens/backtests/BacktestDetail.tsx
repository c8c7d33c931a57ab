import { useMemo } from 'react';
import { Link, useParams } from 'react-router';
import { useQuery } from 'urql';
import { LineChart } from '../../charts/LineChart.tsx';
import { FigureTiles } from '../../lab/Figures.tsx';
import { JobBadge, JobProgress } from '../../lab/JobProgress.tsx';
import { TIMEFRAMES } from '../../lab/timeframes.ts';
import { isOver, useJob } from '../../lab/useJob.ts';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Money, Quantity, Time } from '../../shared/values.tsx';
import { BacktestDocument, type BacktestDetailFragment } from './backtests.generated.ts';
import { marketsOf } from './Backtests.tsx';
import { Checks } from './Checks.tsx';
import { useText } from './text.ts';
import { Trades } from './Trades.tsx';
import '../../lab/lab.css';

export default function BacktestDetail() {
  const { id = '' } = useParams();
  const t = useText();
  const [{ data, error }, again] = useQuery({ query: BacktestDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  const refresh = () => again({ requestPolicy: 'network-only' });
  const backtest = data?.node && 'equityCurve' in data.node ? data.node : null;
  useJob(backtest?.job, refresh);
  if (error && !data?.node) return <ErrorState error={error} onRetry={refresh} />;
  if (!data) return <Loading />;
  if (!backtest) return <Page title={t('title')}><EmptyState title={t('missing')} action={<Link className="button" to="/backtests">{t('title')}</Link>} /></Page>;
  return <Result key={backtest.id} backtest={backtest} />;
}

function Result({ backtest }: { backtest: BacktestDetailFragment }) {
  const t = useText();
  const { strategyVersion, job, metrics } = backtest;
  const title = strategyVersion ? t('titleOf', { name: strategyVersion.strategy.name, number: strategyVersion.number }) : t('definition');
  const query = `version=${strategyVersion?.id}&market=${encodeURIComponent(backtest.market.symbol)}&timeframe=${backtest.timeframe}`;
  return (
    <Page title={title} actions={strategyVersion && <>
      <Link className="button" to={`/strategies/${strategyVersion.strategy.id}`}>{t('edit')}</Link>
      <Link className="button" to={`/backtests/new?${query}`}>{t('again')}</Link>
      <Link className="button primary" to={`/sessions/new?${query}`}>{t('session')}</Link>
    </>}>
      <div className="row muted">
        <JobBadge job={job} /><span>{marketsOf(backtest)} · {TIMEFRAMES[backtest.timeframe]}</span><span><Time at={backtest.from} /> – <Time at={backtest.to} /></span>
        <span>{t('equity')}: <Money value={backtest.initialEquity} /></span>
        <span>{t('costs')} <Quantity value={backtest.takerFeePercent} unit="%" /> / <Quantity value={backtest.makerFeePercent} unit="%" />, <Quantity value={backtest.slippageBps} unit="bps" /></span>
      </div>
      {backtest.parameters.length > 0 && <div className="row muted">{backtest.parameters.map(({ name, value }) => <span className="badge" key={name}>{name} = {value}</span>)}</div>}
      <JobProgress job={job} />
      {backtest.notes?.map(note => <div className="notice warn" key={note}>{note}</div>)}
      {metrics && <Panel title={t('figures')}><FigureTiles figures={metrics} /></Panel>}
      {metrics && <Equity backtest={backtest} />}
      {isOver(job.status) && metrics && <Trades backtest={backtest} />}
      {backtest.checks && <Checks checks={backtest.checks} />}
      {metrics && <p className="muted">{t('honest')}</p>}
    </Page>
  );
}

function Equity({ backtest }: { backtest: BacktestDetailFragment }) {
  const t = useText();
  const { equityCurve } = backtest;
  const [times, equity, drawdown] = useMemo(() => [
    equityCurve.map(({ at }) => at),
    [{ title: t('equity.line'), values: equityCurve.map(each => each.equity), isFilled: true }],
    [{ title: t('drawdown'), values: equityCurve.map(each => String(-each.drawdownPercent)), token: 'down', isFilled: true }],
  ], [equityCurve, t]);
  return (
    <div className="split">
      <Panel title={t('equity.line')}><div className="body"><LineChart label={t('equity.label')} times={times} lines={equity} /></div></Panel>
      <Panel title={t('drawdown.percent')}><div className="body"><LineChart label={t('drawdown.label')} times={times} lines={drawdown} /></div></Panel>
    </div>
  );
}
