import { useDeferredValue, useMemo, useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { decimalsOf } from '../../format/decimal.ts';
import { CheckField } from '../../shared/form.tsx';
import { Page } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Age, Change, Quantity, Volume } from '../../shared/values.tsx';
import { toggleFavourite, useFavourites } from './favourites.ts';
import { MarketsDocument, type MarketsQuery } from './markets.generated.ts';
import { useText } from './text.ts';
import { useTickers, type Feed, type Ticker } from './useTickers.ts';
import './markets.css';

type Market = NonNullable<MarketsQuery['markets']>['nodes'][number];
interface Row { market: Market; ticker: Ticker | undefined; feed: Feed | undefined; isFavourite: boolean }

const FOLLOWED = 100;

export default function Markets() {
  const t = useText();
  const [typed, setTyped] = useState('');
  const [quote, setQuote] = useState('');
  const [onlyFavourites, setOnlyFavourites] = useState(false);
  const [limit, setLimit] = useState('');
  const search = useDeferredValue(typed.trim());
  const favourites = useFavourites();
  const [{ data, error, fetching }, again] = useQuery({ query: MarketsDocument, variables: { search: search || null } });
  const all = useMemo(() => data?.markets?.nodes ?? [], [data]);
  const quotes = useMemo(() => [...new Set(all.map(market => market.quote))].sort(), [all]);
  const shown = useMemo(() => all
    .filter(market => (!quote || market.quote === quote) && (!onlyFavourites || favourites.has(market.symbol)))
    .sort((a, b) => Number(favourites.has(b.symbol)) - Number(favourites.has(a.symbol)) || (a.symbol < b.symbol ? -1 : 1)),
  [all, quote, onlyFavourites, favourites]);
  const { tickers, feeds } = useTickers(shown.slice(0, FOLLOWED).map(market => market.symbol), setLimit);
  const rows = shown.map(market => ({
    market, ticker: tickers.get(market.symbol), feed: feeds.get(market.symbol), isFavourite: favourites.has(market.symbol),
  }));
  return (
    <Page title={t('title')} actions={data && <span className="muted">{t('count', { count: shown.length })}</span>}>
      <div className="markets-filters">
        <input className="input" type="search" aria-label={t('search')} placeholder={t('search')} value={typed} onChange={event => setTyped(event.target.value)} />
        <select className="input" aria-label={t('quote')} value={quote} onChange={event => setQuote(event.target.value)}>
          <option value="">{t('quote.all')}</option>
          {quotes.map(name => <option key={name}>{name}</option>)}
        </select>
        <CheckField label={t('favourites')} checked={onlyFavourites} onChange={event => setOnlyFavourites(event.target.checked)} />
      </div>
      {limit && <div className="notice warn" role="status">{t('shared.limit', { message: limit })}</div>}
      <div className="panel">
        {error && !data ? <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />
          : fetching && !data ? <Loading />
            : <List rows={rows} empty={<EmptyState title={t('none.title')}>{t(onlyFavourites ? 'none.favourites' : 'none.text')}</EmptyState>} />}
      </div>
    </Page>
  );
}

function List({ rows, empty }: { rows: Row[]; empty: React.ReactNode }) {
  const t = useText();
  const columns = useMemo((): Column<Row>[] => [
    { id: 'star', header: <span className="visually-hidden">{t('favourites')}</span>, cell: Star },
    { id: 'market', header: t('market'), cell: Name },
    { id: 'last', header: t('last'), align: 'end', cell: ({ market, ticker }) => <Quantity value={ticker?.last} digits={decimalsOf(market.priceIncrement)} /> },
    { id: 'change', header: t('change'), align: 'end', cell: ({ ticker }) => <Change percent={ticker?.changePercent24h} /> },
    { id: 'spread', header: t('spread'), align: 'end', cell: ({ market, ticker }) => (
      <><Quantity value={ticker?.bid} digits={decimalsOf(market.priceIncrement)} /> / <Quantity value={ticker?.ask} digits={decimalsOf(market.priceIncrement)} /></>
    ) },
    { id: 'low', header: t('low'), align: 'end', cell: ({ market, ticker }) => <Quantity value={ticker?.low24h} digits={decimalsOf(market.priceIncrement)} /> },
    { id: 'high', header: t('high'), align: 'end', cell: ({ market, ticker }) => <Quantity value={ticker?.high24h} digits={decimalsOf(market.priceIncrement)} /> },
    { id: 'volume', header: t('volume'), align: 'end', cell: ({ market, ticker }) => <Volume value={ticker?.quoteVolume24h} unit={market.quote} /> },
    { id: 'feed', header: t('feed'), cell: ({ feed }) => <FeedState state={feed?.state} /> },
    { id: 'age', header: t('age'), align: 'end', cell: ({ ticker }) => <Age at={ticker?.at} /> },
  ], [t]);
  return <Table label={t('title')} columns={columns} rows={rows} rowKey={({ market }) => market.symbol} empty={empty} />;
}

function Star({ market, isFavourite }: Row) {
  return <StarButton symbol={market.symbol} isOn={isFavourite} />;
}

function StarButton({ symbol, isOn }: { symbol: string; isOn: boolean }) {
  const t = useText();
  return (
    <button type="button" className={`star ${isOn ? 'on' : ''}`} aria-pressed={isOn} aria-label={t('favourite', { symbol })} onClick={() => toggleFavourite(symbol)}>
      {isOn ? '★' : '☆'}
    </button>
  );
}

function Name({ market }: Row) {
  return (
    <Link className="market-name" to={`/markets/${market.symbol}`}>
      <b>{market.base}</b><span className="muted">/{market.quote}</span> <span className="venue">{market.venue.name}</span>
    </Link>
  );
}

export function FeedState({ state }: { state: Feed['state'] | undefined }) {
  const t = useText();
  return <span className="connection"><span className={`dot ${state ?? ''}`} aria-hidden="true" />{t(`feed.${state ?? 'none'}`)}</span>;
}
