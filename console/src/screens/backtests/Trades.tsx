import { useCallback, useEffect, useMemo, useState } from 'react';
import { useClient, useQuery } from 'urql';
import { barsOf } from '../../charts/bars.ts';
import { CandleChart, type CandleBar, type ChartMark } from '../../charts/CandleChart.tsx';
import { text } from '../../lab/Figures.tsx';
import { decimalsOf } from '../../format/decimal.ts';
import { Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Change, Money, Quantity, Time } from '../../shared/values.tsx';
import { BacktestCandlesDocument, BacktestTradesDocument, type BacktestRowFragment, type TradeFragment } from './backtests.generated.ts';
import { marksOf } from './marks.ts';
import { useText } from './text.ts';

/** The round trips, on the candles and as a table. */
export function Trades({ backtest }: { backtest: BacktestRowFragment }) {
  const t = useText();
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error }, again] = useQuery({ query: BacktestTradesDocument, variables: { id: backtest.id, after } });
  const page = data?.node && 'roundTrips' in data.node ? data.node.roundTrips : null;
  const market = backtest.market.symbol;
  const marks = useMemo(() => marksOf(page?.nodes ?? [], market), [page, market]);
  if (error) return <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />;
  if (!page) return <Loading />;
  return (
    <>
      <Panel title={t('candles', { market })}><div className="lab-chart"><TradeChart backtest={backtest} marks={marks} /></div></Panel>
      <Panel title={t('trades')} actions={<>
        {after !== null && <button type="button" className="button small" onClick={() => setAfter(null)}>{t('first')}</button>}
        {page.pageInfo.hasNextPage && <button type="button" className="button small" onClick={() => setAfter(page.pageInfo.endCursor ?? null)}>{t('next')}</button>}
      </>}>
        <TradeTable trades={page.nodes} hasManyMarkets={backtest.markets.length > 1} quote={backtest.market.quote} />
      </Panel>
    </>
  );
}

export function TradeTable({ trades, hasManyMarkets, quote }: { trades: readonly TradeFragment[]; hasManyMarkets: boolean; quote: string }) {
  const t = useText();
  const columns: Column<TradeFragment>[] = [
    ...(hasManyMarkets ? [{ id: 'market', header: t('market'), cell: ({ market }: TradeFragment) => market?.symbol }] : []),
    { id: 'opened', header: t('opened'), cell: ({ openedAt }) => <Time at={openedAt} /> },
    { id: 'closed', header: t('closed'), cell: ({ closedAt }) => (closedAt ? <Time at={closedAt} /> : <span className="badge">{t('open')}</span>) },
    { id: 'side', header: t('side'), cell: ({ side }) => t(`side.${side}`) },
    { id: 'quantity', header: t('quantity'), align: 'end', cell: ({ quantity }) => <Quantity value={quantity} atMost={8} /> },
    { id: 'entry', header: t('entry'), align: 'end', cell: ({ entryPrice }) => <Quantity value={entryPrice} atMost={8} /> },
    { id: 'exit', header: t('exit'), align: 'end', cell: ({ exitPrice }) => <Quantity value={exitPrice} atMost={8} /> },
    { id: 'profit', header: t('profit'), align: 'end', cell: ({ profit }) => <Money value={profit} currency={quote} tone /> },
    { id: 'percent', header: t('return'), align: 'end', cell: ({ profitPercent }) => <Change percent={text(profitPercent)} /> },
    { id: 'fees', header: t('fees'), align: 'end', cell: ({ fees }) => <Money value={fees} /> },
    { id: 'reason', header: t('reason'), cell: ({ exitReason }) => (exitReason ? t(`reason.${exitReason}`) : '–') },
  ];
  return <Table label={t('trades.table')} columns={columns} rows={trades} maxHeight={420} rowKey={({ openedAt, market }) => `${openedAt} ${market?.symbol}`}
    empty={<EmptyState title={t('trades.none')}>{t('trades.noneText')}</EmptyState>} />;
}

/** The newest candles of the period; earlier ones are loaded when the chart is moved to its beginning. */
function TradeChart({ backtest, marks }: { backtest: BacktestRowFragment; marks: readonly ChartMark[] }) {
  const t = useText();
  const client = useClient();
  const { timeframe, from, to, market } = backtest;
  const [loaded, setLoaded] = useState<{ candles: CandleBar[]; before: string | null; isLoading: boolean; failure: string }>({ candles: [], before: null, isLoading: false, failure: '' });
  const load = useCallback((before: string | null) => {
    setLoaded(state => ({ ...state, isLoading: true }));
    void client.query(BacktestCandlesDocument, { market: market.symbol, timeframe, from, to, before }).toPromise().then(({ data, error }) => {
      const page = data?.market?.candleSeries;
      const bars = page ? barsOf(page) : [];
      setLoaded(state => ({
        candles: before === null ? bars : [...bars, ...state.candles],
        before: page?.pageInfo.hasPreviousPage ? page.pageInfo.startCursor ?? null : null, isLoading: false, failure: error?.message ?? '',
      }));
    });
  }, [client, market.symbol, timeframe, from, to]);
  useEffect(() => load(null), [load]);
  if (loaded.candles.length === 0) return loaded.failure ? <EmptyState title={t('candles.failed')}>{loaded.failure}</EmptyState> : loaded.isLoading ? <Loading /> : <EmptyState title={t('candles.none')} />;
  return <CandleChart label={t('candles.label', { market: market.symbol, count: marks.length })} candles={loaded.candles} marks={marks} digits={decimalsOf(market.priceIncrement)}
    onReachStart={() => { if (loaded.before !== null && !loaded.isLoading) load(loaded.before); }} />;
}
