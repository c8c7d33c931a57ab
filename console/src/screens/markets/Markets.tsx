import { useCallback, useDeferredValue, useEffect, useMemo, useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { decimalsOf } from '../../format/decimal.ts';
import { CheckField } from '../../shared/form.tsx';
import { Page } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Age, Change, Quantity, Volume } from '../../shared/values.tsx';
import { toggleFavourite, useFavourites } from './favourites.ts';
import { FavouriteMarketsDocument, QuoteCurrenciesDocument, type MarketRowFragment } from './markets.generated.ts';
import { useMarketPages } from './useMarketPages.ts';
import { useText } from './text.ts';
import { useTickers, type Feed, type Ticker } from './useTickers.ts';
import './markets.css';

interface Row { market: MarketRowFragment; ticker: Ticker | undefined; feed: Feed | undefined; isFavourite: boolean }

const MOST_FAVOURITES = 100;
/** How many rows before the end the next page is asked for. */
const AHEAD = 30;
const SETTLE_MS = 250;

/** All markets: favourites first, then the others by symbol, loaded as the list is scrolled. Prices come for the rows in view. */
export default function Markets() {
  const t = useText();
  const [typed, setTyped] = useState('');
  const [quote, setQuote] = useState('');
  const [onlyFavourites, setOnlyFavourites] = useState(false);
  const [limit, setLimit] = useState('');
  const search = useDeferredValue(typed.trim());
  const favourites = useFavourites();
  const marked = useMemo(() => [...favourites].sort().slice(0, MOST_FAVOURITES), [favourites]);
  const [{ data: quotes }] = useQuery({ query: QuoteCurrenciesDocument });
  const [{ data: own, fetching, error: ownError }, againOwn] = useQuery({ query: FavouriteMarketsDocument, variables: { symbols: marked, search: search || null, quote: quote || null }, pause: marked.length === 0 });
  const { markets, total, hasMore, isLoading, error, loadMore } = useMarketPages(search, quote);
  const shown = useMemo(() => {
    const first = (marked.length > 0 ? own?.markets?.nodes ?? [] : []).filter(({ symbol }) => favourites.has(symbol));
    const known = new Set(first.map(({ symbol }) => symbol));
    return onlyFavourites ? first : [...first, ...markets.filter(({ symbol }) => !known.has(symbol))];
  }, [marked, own, favourites, onlyFavourites, markets]);
  const [view, setView] = useState({ first: 0, last: 0 });
  const onView = useCallback((first: number, last: number) => setView({ first, last }), []);
  const isNearEnd = !onlyFavourites && hasMore && view.last >= shown.length - AHEAD;
  useEffect(() => { if (isNearEnd && !error) loadMore(); }, [isNearEnd, error, loadMore]);
  const followed = useSettled(shown.slice(view.first, view.last + 1).map(({ symbol }) => symbol).join('\n'), SETTLE_MS);
  const { tickers, feeds } = useTickers(followed === '' ? [] : followed.split('\n'), setLimit);
  const rows = shown.map(market => ({
    market, ticker: tickers.get(market.symbol), feed: feeds.get(market.symbol), isFavourite: favourites.has(market.symbol),
  }));
  const [failed, retry] = onlyFavourites ? [ownError, () => againOwn({ requestPolicy: 'network-only' })] : [error, loadMore];
  const isWaiting = onlyFavourites ? fetching && !own : isLoading;
  const count = onlyFavourites ? shown.length : total;
  return (
    <Page title={t('title')} actions={count !== null && <span className="muted">{t('count', { count })}</span>}>
      <div className="markets-filters">
        <input className="input" type="search" aria-label={t('search')} placeholder={t('search')} value={typed} onChange={event => setTyped(event.target.value)} />
        <select className="input" aria-label={t('quote')} value={quote} onChange={event => setQuote(event.target.value)}>
          <option value="">{t('quote.all')}</option>
          {(quotes?.quoteCurrencies ?? []).map(name => <option key={name}>{name}</option>)}
        </select>
        <CheckField label={t('favourites')} checked={onlyFavourites} onChange={event => setOnlyFavourites(event.target.checked)} />
      </div>
      {limit && <div className="notice warn" role="status">{t('shared.limit', { message: limit })}</div>}
      <div className="panel">
        {failed && shown.length === 0 ? <ErrorState error={failed} onRetry={retry} />
          : isWaiting && shown.length === 0 ? <Loading />
            : <List rows={rows} onView={onView} empty={<EmptyState title={t('none.title')}>{t(onlyFavourites ? 'none.favourites' : 'none.text')}</EmptyState>} />}
        {failed && shown.length > 0 && <p className="notice error markets-more" role="alert">{t('more.failed')} <button type="button" className="button small" onClick={retry}>{t('more.retry')}</button></p>}
      </div>
    </Page>
  );
}

/** The value once it hasn't changed for a while, so that scrolling doesn't open a stream for each row that passes. */
function useSettled(value: string, milliseconds: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}

function List({ rows, empty, onView }: { rows: Row[]; empty: ReactNode; onView: (first: number, last: number) => void }) {
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
  return <Table label={t('title')} columns={columns} rows={rows} rowKey={({ market }) => market.symbol} empty={empty} onView={onView} maxHeight="max(320px, calc(100vh - 190px))" />;
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
