import { useMemo, useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { LineChart } from '../../charts/LineChart.tsx';
import { decimalsOf } from '../../format/decimal.ts';
import { useUserEvents } from '../../live/events.tsx';
import { Levels, ProtectButton } from '../../protection/Protect.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Age, Money, Quantity, Time } from '../../shared/values.tsx';
import { OpenPaperAccount } from '../ticket/OpenPaperAccount.tsx';
import { AccountEquityDocument, PortfolioDocument, type AccountEquityQueryVariables, type PortfolioQuery } from './portfolio.generated.ts';
import { useText } from './text.ts';
import './portfolio.css';

type Viewer = NonNullable<PortfolioQuery['viewer']>;
type Worth = NonNullable<Viewer['portfolio']>;
type Position = NonNullable<Viewer['positions']>['nodes'][number];
type Profit = NonNullable<Viewer['byDay']>['groups'][number];
type MarketProfit = NonNullable<Viewer['byMarket']>['groups'][number];
type Interval = AccountEquityQueryVariables['interval'];

const REFRESH_EVENTS = ['ORDER', 'FILL', 'POSITION', 'ACCOUNT'] as const;
const INTERVALS: readonly Interval[] = ['MINUTE', 'HOUR', 'DAY'];

/** What the user holds and is worth, what each position and market has earned, and the equity over time. */
export default function Portfolio() {
  const t = useText();
  const [{ data, error, fetching }, again] = useQuery({ query: PortfolioDocument, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  useUserEvents(REFRESH_EVENTS, reload);
  if (error && !data?.viewer) return <ErrorState error={error} onRetry={reload} />;
  if (!data?.viewer) return <Loading />;
  const { portfolio, positions, byDay, byMarket } = data.viewer;
  const market = data.markets?.nodes[0];
  const refresh = <button type="button" className="button small" disabled={fetching} onClick={reload}>{t('refresh')}</button>;
  if (portfolio?.accounts.length === 0) {
    return (
      <Page title={t('title')}>
        <div className="panel">
          {market ? <OpenPaperAccount venue={market.venue} currency={market.quote} onOpened={reload} /> : <EmptyState title={t('noAccounts')} />}
        </div>
      </Page>
    );
  }
  return (
    <Page title={t('title')} actions={portfolio && <><span className="muted">{t('asOf')} <Age at={portfolio.at} /></span>{refresh}</>}>
      {portfolio ? <Holdings portfolio={portfolio} /> : <ErrorNotice />}
      {portfolio && <Equity accounts={portfolio.accounts.map(({ account }) => account)} />}
      <Panel title={t('positions')}>
        {positions ? <Positions positions={positions.nodes} /> : <ErrorNotice />}
        {positions?.pageInfo.hasNextPage && <p className="body muted">{t('positions.first', { count: positions.nodes.length })}</p>}
      </Panel>
      <div className="portfolio-profits">
        <Panel title={byDay ? t('byDay', { zone: byDay.timeZone }) : t('profit')}>
          {byDay ? <ProfitTable label={t('profit')} groups={byDay.groups} currency={byDay.currency} head={t('day')} name={group => <Time at={group.from} style="date" />} /> : <ErrorNotice />}
        </Panel>
        <Panel title={t('byMarket')}>
          {byMarket ? <ProfitTable label={t('byMarket')} groups={byMarket.groups} currency={byMarket.currency} head={t('market')} name={group => group.market ?? '–'} /> : <ErrorNotice />}
        </Panel>
      </div>
    </Page>
  );
}

/** A part of the answer that the engine couldn't give: the rest stands. */
function ErrorNotice() {
  const t = useText();
  return <p className="notice error" role="alert">{t('notKnown')}</p>;
}

function Holdings({ portfolio }: { portfolio: Worth }) {
  const t = useText();
  const { currency, total, unpriced, accounts, assets } = portfolio;
  const accountColumns = useMemo((): Column<Worth['accounts'][number]>[] => [
    { id: 'name', header: t('account'), cell: ({ account }) => <>{account.name} <span className="badge">{t(`kind.${account.kind}`)}</span></> },
    { id: 'venue', header: t('venue'), cell: ({ account }) => account.venue.name },
    { id: 'state', header: t('state'), cell: ({ account }) => t(`state.${account.tradingState}`) },
    { id: 'worth', header: t('worth'), align: 'end', cell: ({ worth }) => <Money value={worth} currency={currency} /> },
    { id: 'share', header: t('share'), align: 'end', cell: ({ sharePercent }) => <Percent value={sharePercent} /> },
  ], [t, currency]);
  const assetColumns = useMemo((): Column<Worth['assets'][number]>[] => [
    { id: 'currency', header: t('currency'), cell: asset => <b>{asset.currency}</b> },
    { id: 'amount', header: t('amount'), align: 'end', cell: ({ amount }) => <Quantity value={amount} /> },
    { id: 'worth', header: t('worth'), align: 'end', cell: ({ worth }) => <Money value={worth} currency={currency} /> },
    { id: 'share', header: t('share'), align: 'end', cell: ({ sharePercent }) => <Percent value={sharePercent} /> },
  ], [t, currency]);
  return (
    <>
      <div className="panel portfolio-total">
        <span className="muted">{t('total')}</span>
        <strong><Money value={total} currency={currency} /></strong>
        {unpriced.length > 0 && <p className="notice warn">{t('unpriced', { what: unpriced.map(({ amount, currency: held }) => `${amount} ${held}`).join(', ') })}</p>}
      </div>
      <div className="portfolio-parts">
        <Panel title={t('accounts')}><Table label={t('accounts')} columns={accountColumns} rows={accounts} rowKey={({ account }) => account.id} /></Panel>
        <Panel title={t('assets')}><Table label={t('assets')} columns={assetColumns} rows={assets} rowKey={asset => asset.currency} empty={<EmptyState title={t('assets.none')} />} /></Panel>
      </div>
    </>
  );
}

/** The engine gives shares as floats with one or two digits: they are no money. */
function Percent({ value }: { value: number | null | undefined }) {
  return value === null || value === undefined ? <span className="muted">–</span> : <Quantity value={value.toFixed(1)} unit="%" />;
}

function Equity({ accounts }: { accounts: readonly { id: string; name: string }[] }) {
  const t = useText();
  const [id, setId] = useState(accounts[0]?.id ?? '');
  const [interval, setInterval] = useState<Interval>('MINUTE');
  const [{ data, error, fetching }, again] = useQuery({ query: AccountEquityDocument, variables: { id, interval }, requestPolicy: 'cache-and-network', pause: id === '' });
  const history = data?.node?.__typename === 'Account' ? data.node.equityHistory : null;
  const points = useMemo(() => history?.points ?? [], [history]);
  const times = useMemo(() => points.map(({ at }) => at), [points]);
  const lines = useMemo(() => [
    { title: t('equity'), values: points.map(({ equity }) => equity), isFilled: true },
    { title: t('deposits'), values: points.map(({ netDeposits }) => netDeposits), token: 'muted' },
  ], [points, t]);
  const last = points.at(-1);
  return (
    <Panel title={history ? t('equityIn', { currency: history.currency }) : t('equity')} actions={(
      <>
        {accounts.length > 1 && (
          <select className="input portfolio-account" aria-label={t('account')} value={id} onChange={event => setId(event.target.value)}>
            {accounts.map(account => <option key={account.id} value={account.id}>{account.name}</option>)}
          </select>
        )}
        <div className="tabs" role="group" aria-label={t('interval')}>
          {INTERVALS.map(each => <button type="button" className="tab" key={each} aria-pressed={each === interval} onClick={() => setInterval(each)}>{t(`interval.${each}`)}</button>)}
        </div>
      </>
    )}>
      {error && !history ? <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />
        : !history ? fetching && <Loading />
          : !last ? <EmptyState title={t('equity.none')}>{t('equity.noneText')}</EmptyState>
            : (
              <div className="body stack">
                <p>{t('earned')} <Money value={last.profit} currency={history.currency} tone /></p>
                {points.length > 1 ? <LineChart label={t('equityLabel', { first: points[0]?.equity ?? '', last: last.equity, currency: history.currency })} times={times} lines={lines} /> : <p className="muted">{t('equity.first')}</p>}
                {history.gaps.length > 0 && <p className="muted">{t('gaps', { count: history.gaps.length })}</p>}
              </div>
            )}
    </Panel>
  );
}

function Positions({ positions }: { positions: readonly Position[] }) {
  const t = useText();
  const columns = useMemo((): Column<Position>[] => [
    { id: 'market', header: t('market'), cell: ({ market }) => <Link to={`/markets/${market.symbol}`}>{market.base}/{market.quote}</Link> },
    { id: 'account', header: t('account'), cell: ({ account }) => account.name },
    { id: 'by', header: t('by'), cell: ({ tradingSession }) => (tradingSession ? <Link to={`/sessions/${encodeURIComponent(tradingSession.id)}`}>{t('bySession')}</Link> : t('byHand')) },
    { id: 'quantity', header: t('quantity'), align: 'end', cell: ({ quantity, market }) => <Quantity value={quantity} unit={market.base} /> },
    { id: 'average', header: t('average'), align: 'end', cell: ({ averagePrice, market }) => <Quantity value={averagePrice} digits={decimalsOf(market.priceIncrement)} /> },
    { id: 'price', header: t('price'), align: 'end', cell: ({ marketPrice, market }) => <Quantity value={marketPrice} digits={decimalsOf(market.priceIncrement)} /> },
    { id: 'open', header: t('unrealized'), align: 'end', cell: ({ unrealizedProfit, market }) => <Money value={unrealizedProfit} currency={market.quote} tone /> },
    { id: 'realized', header: t('realized'), align: 'end', cell: ({ realizedProfit, market, unpricedFees }) => <><Money value={realizedProfit} currency={market.quote} tone />{unpricedFees.length > 0 && <div className="muted">{t('feesLeftOut', { currencies: unpricedFees.join(', ') })}</div>}</> },
    { id: 'protection', header: t('protection'), wrap: true, cell: position => <Levels position={position} /> },
    { id: 'opened', header: t('opened'), cell: ({ openedAt }) => <Time at={openedAt} /> },
    { id: 'actions', header: <span className="visually-hidden">{t('actions')}</span>, cell: position => <ProtectButton position={position} /> },
  ], [t]);
  return <Table label={t('positions')} columns={columns} rows={positions} rowKey={({ id }) => id} empty={<EmptyState title={t('positions.none')} action={<Link className="button" to="/markets">{t('toMarkets')}</Link>}>{t('positions.noneText')}</EmptyState>} />;
}

type AnyProfit = Pick<Profit & MarketProfit, 'roundTrips' | 'wins' | 'losses' | 'profit' | 'fees' | 'unpricedFees'>;

function ProfitTable<Group extends AnyProfit>({ label, groups, currency, head, name }: { label: string; groups: readonly Group[]; currency: string; head: string; name: (group: Group) => ReactNode }) {
  const t = useText();
  const traded = groups.filter(({ roundTrips }) => roundTrips > 0);
  const columns: Column<Group>[] = [
    { id: 'name', header: head, cell: name },
    { id: 'trips', header: t('trips'), align: 'end', cell: ({ roundTrips, wins, losses }) => t('tripsOf', { all: roundTrips, wins, losses }) },
    { id: 'fees', header: t('fees'), align: 'end', cell: ({ fees }) => <Money value={fees} currency={currency} /> },
    { id: 'profit', header: t('profit'), align: 'end', cell: ({ profit, unpricedFees }) => <><Money value={profit} currency={currency} tone />{unpricedFees.length > 0 && <div className="muted">{t('feesLeftOut', { currencies: unpricedFees.join(', ') })}</div>}</> },
  ];
  return <Table label={label} columns={columns} rows={traded} rowKey={group => String(traded.indexOf(group))} maxHeight={320} empty={<EmptyState title={t('profit.none')}>{t('profit.noneText')}</EmptyState>} />;
}
