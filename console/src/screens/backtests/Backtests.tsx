import { useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { text } from '../../lab/Figures.tsx';
import { JobBadge } from '../../lab/JobProgress.tsx';
import { TIMEFRAMES } from '../../lab/timeframes.ts';
import { useUserEvents } from '../../live/events.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Change, Money, Quantity, Time } from '../../shared/values.tsx';
import { BacktestsDocument, type BacktestRowFragment } from './backtests.generated.ts';
import { useText } from './text.ts';

export const marketsOf = ({ markets }: Pick<BacktestRowFragment, 'markets'>): string => markets.map(({ symbol }) => symbol).join(', ');

export default function Backtests() {
  const t = useText();
  const [after, setAfter] = useState<string | null>(null);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [{ data, error }, again] = useQuery({ query: BacktestsDocument, variables: { after }, requestPolicy: 'cache-and-network' });
  const refresh = () => again({ requestPolicy: 'network-only' });
  useUserEvents(['JOB'], refresh);
  const page = data?.viewer?.backtests;
  const choose = (id: string) => setChosen(chosen.includes(id) ? chosen.filter(each => each !== id) : [...chosen.slice(-1), id]);
  const columns: Column<BacktestRowFragment>[] = [
    { id: 'choose', header: t('compare'), cell: ({ id }) => <input type="checkbox" aria-label={t('compare.choose', { id: id.slice(-6) })} checked={chosen.includes(id)} onChange={() => choose(id)} /> },
    { id: 'strategy', header: t('strategy'), cell: row => <Link to={`/backtests/${row.id}`}>{row.strategyVersion ? t('version', { name: row.strategyVersion.strategy.name, number: row.strategyVersion.number }) : t('definition')}</Link> },
    { id: 'market', header: t('market'), cell: row => `${marketsOf(row)} · ${TIMEFRAMES[row.timeframe]}` },
    { id: 'period', header: t('period'), cell: ({ from, to }) => <><Time at={from} style="date" /> – <Time at={to} style="date" /></> },
    { id: 'job', header: t('state'), cell: ({ job }) => <JobBadge job={job} /> },
    { id: 'profit', header: t('profit'), align: 'end', cell: ({ metrics }) => <Money value={metrics?.netProfit} tone {...(metrics && { currency: metrics.currency })} /> },
    { id: 'return', header: t('return'), align: 'end', cell: ({ metrics }) => <Change percent={text(metrics?.netProfitPercent)} /> },
    { id: 'drawdown', header: t('drawdown'), align: 'end', cell: ({ metrics }) => <Quantity value={text(metrics?.maxDrawdownPercent)} digits={2} unit="%" /> },
    { id: 'trades', header: t('trades'), align: 'end', cell: ({ metrics }) => <Quantity value={text(metrics?.roundTrips)} /> },
    { id: 'created', header: t('created'), cell: ({ createdAt }) => <Time at={createdAt} /> },
  ];
  return (
    <Page title={t('title')} actions={<>
      {chosen.length === 2 && <Link className="button" to={`/backtests/compare?a=${chosen[0]}&b=${chosen[1]}`}>{t('compare.two')}</Link>}
      <Link className="button primary" to="/backtests/new">{t('new')}</Link>
    </>}>
      <Panel title={t('own')} actions={<span className="muted">{t('compare.help')}</span>}>
        {error && !data ? <ErrorState error={error} onRetry={refresh} /> : !page ? <Loading />
          : <Table label={t('title')} columns={columns} rows={page.nodes} rowKey={({ id }) => id}
            empty={<EmptyState title={t('none.title')} action={<div className="row"><Link className="button primary" to="/backtests/new">{t('new')}</Link><Link className="button" to="/strategies">{t('toStrategies')}</Link></div>}>{t('none.text')}</EmptyState>} />}
        {page?.pageInfo.hasNextPage && <div className="body"><button type="button" className="button" onClick={() => setAfter(page.pageInfo.endCursor ?? null)}>{t('older')}</button></div>}
      </Panel>
    </Page>
  );
}
