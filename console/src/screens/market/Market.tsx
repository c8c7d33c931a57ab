import { useCallback, useState } from 'react';
import { Link, useParams } from 'react-router';
import { useQuery } from 'urql';
import { useOptionalViewer } from '../../auth/viewer.tsx';
import { decimalsOf } from '../../format/decimal.ts';
import { useStream } from '../../live/useStream.ts';
import { Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Age, Change, Quantity, Volume } from '../../shared/values.tsx';
import { useTickers } from '../markets/useTickers.ts';
import { OrderTable } from '../orders/OrderTable.tsx';
import { Ticket } from '../ticket/Ticket.tsx';
import { applyDepth, EMPTY_BOOK, type BookState } from './book.ts';
import { DepthHeat } from './DepthHeat.tsx';
import { Ladder } from './Ladder.tsx';
import { MarketChart } from './MarketChart.tsx';
import { DepthDocument, MarketDocument, type MarketQuery } from './market.generated.ts';
import { Positions } from './Positions.tsx';
import { Trades } from './Trades.tsx';
import { useMarketOrders } from './useMarketOrders.ts';
import { useText } from './text.ts';
import './market.css';

export type MarketInfo = NonNullable<MarketQuery['market']>;

export default function Market() {
  const t = useText();
  const symbol = useParams()['*'] ?? '';
  const [{ data, error }, again] = useQuery({ query: MarketDocument, variables: { symbol } });
  if (error && !data?.market) return <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />;
  if (!data) return <Loading />;
  if (!data.market) return <EmptyState title={t('none.title', { symbol })} action={<Link className="button" to="/markets">{t('all')}</Link>}>{t('none.text')}</EmptyState>;
  return <OpenMarket key={symbol} market={data.market} />;
}

function OpenMarket({ market }: { market: MarketInfo }) {
  const t = useText();
  const { symbol } = market;
  const digits = decimalsOf(market.priceIncrement);
  const book = useBook(symbol);
  const [bid, ask] = [book.book?.bids[0]?.price ?? null, book.book?.asks[0]?.price ?? null];
  const isSignedIn = useOptionalViewer() !== null;
  const own = useMarketOrders(symbol, !isSignedIn);
  return (
    <div className="page market">
      <title>{`${symbol} · r3edge`}</title>
      <Headline market={market} digits={digits} book={book} />
      <section className="panel market-chart" aria-label={t('chart', { symbol, timeframe: '' })}><MarketChart market={market} digits={digits} orders={own.orders} fills={own.fills} positions={own.positions} /></section>
      <Panel title={t('book')} className="market-book" actions={book.feed !== 'LIVE' && <span className="badge warn">{t('book.old')}</span>}><Ladder state={book} market={market} digits={digits} /></Panel>
      <Panel title={t('trades')} className="market-trades"><Trades symbol={symbol} digits={digits} /></Panel>
      <Panel title={t('heat')} className="market-heat"><DepthHeat market={market} state={book} digits={digits} /></Panel>
      <Panel title={t('order')} className="market-ticket"><Ticket market={market} prices={{ bid, ask }} /></Panel>
      {isSignedIn && <Panel title={t('positions')} className="market-positions"><Positions positions={own.positions} price={bid} /></Panel>}
      {isSignedIn && <Panel title={t('yours')} className="market-orders"><OrderTable isOfOneMarket orders={own.orders} label={t('yours')} empty={<EmptyState title={t('yours.none')}>{t('yours.hint')}</EmptyState>} /></Panel>}
    </div>
  );
}

/** The book, kept by deltas; after an interruption it isn't shown until a snapshot has come. */
function useBook(symbol: string): BookState {
  const [state, setState] = useState(EMPTY_BOOK);
  useStream(DepthDocument, { symbol }, ({ marketDepth }) => setState(known => applyDepth(known, marketDepth)), {
    onInterrupted: useCallback(() => setState(EMPTY_BOOK), []),
  });
  return state;
}

function Headline({ market, digits, book }: { market: MarketInfo; digits: number; book: BookState }) {
  const t = useText();
  const [, setError] = useState('');
  const { tickers, feeds } = useTickers([market.symbol], setError);
  const ticker = tickers.get(market.symbol);
  const feed = feeds.get(market.symbol)?.state ?? (book.feed === 'waiting' ? undefined : book.feed);
  return (
    <header className="market-head">
      <h1>{market.base}<span className="muted">/{market.quote}</span> <span className="venue muted">{market.venue.name}</span></h1>
      <span className="price"><Quantity value={ticker?.last} digits={digits} /></span>
      <Change percent={ticker?.changePercent24h} />
      <dl>
        <div><dt>{t('high')}</dt><dd><Quantity value={ticker?.high24h} digits={digits} /></dd></div>
        <div><dt>{t('low')}</dt><dd><Quantity value={ticker?.low24h} digits={digits} /></dd></div>
        <div><dt>{t('volume')}</dt><dd><Volume value={ticker?.quoteVolume24h} unit={market.quote} /></dd></div>
      </dl>
      <span className="connection" role="status"><span className={`dot ${feed ?? ''}`} aria-hidden="true" />{t(`feed.${feed ?? 'connecting'}`)}</span>
      <span className="muted small"><Age at={ticker?.at} /></span>
    </header>
  );
}
