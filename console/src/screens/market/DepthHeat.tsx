/** The book over time: brighter where more has rested. The past is of the API's history; the present comes from the live book. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { useQuery } from 'urql';
import { formatTime } from '../../format/time.ts';
import { useLanguage } from '../../i18n/text.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { useTimeZone } from '../../shared/values.tsx';
import { colour } from '../../charts/colours.ts';
import { useShownTheme } from '../../shell/theme.ts';
import type { BookState } from './book.ts';
import { gridOf, heat, strongest, withSnapshot, type Grid, type Side, type Snapshot } from './heatmap.ts';
import { DepthHistoryDocument } from './market.generated.ts';
import type { MarketInfo } from './Market.tsx';
import { useText } from './text.ts';

const COLUMNS = 120;
const ROWS = 48;
const NAMED = 5;
/** The length of an interval for each choice, in seconds. */
const PERIODS = { m20: 10, h1: 30, h6: 180 } as const;
type Period = keyof typeof PERIODS;
const SIDES: readonly Side[] = ['asks', 'bids'];

export function DepthHeat({ market, state, digits }: { market: MarketInfo; state: BookState; digits: number }) {
  const t = useText();
  const [period, setPeriod] = useState<Period>('m20');
  return (
    <>
      <div className="tabs heat-periods" role="group" aria-label={t('heat.period')}>
        {(Object.keys(PERIODS) as Period[]).map(name => <button type="button" className="tab" key={name} aria-pressed={name === period} onClick={() => setPeriod(name)}>{t(`heat.${name}`)}</button>)}
      </div>
      <Heat key={period} market={market} state={state} digits={digits} everySeconds={PERIODS[period]} />
    </>
  );
}

function Heat({ market, state, digits, everySeconds }: { market: MarketInfo; state: BookState; digits: number; everySeconds: number }) {
  const t = useText();
  const everyMs = everySeconds * 1_000;
  const [span] = useState(() => {
    const to = Math.ceil(Date.now() / everyMs) * everyMs;
    return { from: new Date(to - COLUMNS * everyMs).toISOString(), to: new Date(to).toISOString() };
  });
  const [{ data, error, fetching }, again] = useQuery({ query: DepthHistoryDocument, variables: { symbol: market.symbol, ...span, everySeconds } });
  const live = useLiveSnapshots(state, everyMs);
  const stored = data?.market?.depthHistory;
  const snapshots = useMemo(() => {
    const past = (stored ?? []).map(({ sentAt, bids, asks }): Snapshot => ({ at: Date.parse(sentAt), bids, asks }));
    return [...past, ...live].reduce<readonly Snapshot[]>((known, each) => withSnapshot(known, each, everyMs, COLUMNS), []);
  }, [stored, live, everyMs]);
  const grid = useMemo(() => gridOf(snapshots, everyMs, COLUMNS, ROWS), [snapshots, everyMs]);
  if (!grid) {
    if (error) return <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />;
    return fetching ? <Loading /> : <EmptyState title={t('heat.none')}>{t('heat.noneText')}</EmptyState>;
  }
  const end = snapshots.at(-1)?.at ?? 0;
  return (
    <>
      {error && <p className="notice warn" role="alert">{t('heat.noPast')} <button type="button" className="button small" onClick={() => again({ requestPolicy: 'network-only' })}>{t('heat.again')}</button></p>}
      <Picture grid={grid} start={end - (COLUMNS - 1) * everyMs} end={end} digits={digits} unit={market.base} />
      <Table grid={grid} snapshots={snapshots} digits={digits} unit={market.base} />
    </>
  );
}

/** The live book once an interval, as long as it can be trusted. */
function useLiveSnapshots({ book, feed }: BookState, everyMs: number): readonly Snapshot[] {
  const [snapshots, setSnapshots] = useState<readonly Snapshot[]>([]);
  const slot = book && feed === 'LIVE' ? Math.floor(Date.parse(book.at) / everyMs) : null;
  const newest = useRef(book);
  useEffect(() => { newest.current = book; });
  useEffect(() => {
    const { current } = newest;
    if (slot === null || !current) return;
    setSnapshots(known => withSnapshot(known, { at: Date.parse(current.at), bids: current.bids, asks: current.asks }, everyMs, COLUMNS));
  }, [slot, everyMs]);
  return snapshots;
}

function usePriceText(digits: number): (price: number) => string {
  const { language } = useLanguage();
  return price => new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(price);
}

function useAmountText(): (amount: number) => string {
  const { language } = useLanguage();
  return amount => new Intl.NumberFormat(language, { maximumSignificantDigits: 4 }).format(amount);
}

function Picture({ grid, start, end, digits, unit }: { grid: Grid; start: number; end: number; digits: number; unit: string }) {
  const t = useText();
  const { language } = useLanguage();
  const zone = useTimeZone();
  const theme = useShownTheme();
  const price = usePriceText(digits);
  const amount = useAmountText();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const paint = () => draw(element, grid);
    const observer = new ResizeObserver(paint);
    observer.observe(element);
    paint();
    return () => observer.disconnect();
  }, [grid, theme]);
  const [low, high] = [price(grid.low), price(grid.low + grid.step * grid.rows)];
  const [from, to] = [formatTime(start, language, 'time', zone), formatTime(end, language, 'time', zone)];
  return (
    <div className="heat">
      <div className="heat-prices" aria-hidden="true"><span>{high}</span><span>{low}</span></div>
      <canvas ref={canvas} role="img" aria-label={t('heat.label', { low, high, from, to, most: amount(grid.most), unit })} />
      <div className="heat-times" aria-hidden="true"><span>{from}</span><span>{to}</span></div>
      <div className="heat-legend"><span>0</span><span className="heat-scale" aria-hidden="true" /><span>{amount(grid.most)} {unit}</span><span className="muted">{t('heat.legend')}</span></div>
    </div>
  );
}

function draw(element: HTMLCanvasElement, { cells, columns, rows, most, middles, low, step }: Grid): void {
  const context = element.getContext('2d');
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [element.clientWidth * ratio, element.clientHeight * ratio];
  if (!context || width === 0 || most === 0) return;
  element.width = width;
  element.height = height;
  const edge = (index: number, count: number, length: number) => Math.round((index / count) * length);
  cells.forEach((quantity, index) => {
    if (quantity === 0) return;
    const [row, column] = [Math.floor(index / columns), index % columns];
    const [left, top] = [edge(column, columns, width), edge(rows - row - 1, rows, height)];
    context.fillStyle = heat(quantity / most);
    context.fillRect(left, top, edge(column + 1, columns, width) - left, edge(rows - row, rows, height) - top);
  });
  // The middle of the book, in two tones so that it is seen on bright and on dark cells.
  for (const [tone, thickness] of [[colour('bg'), 3], [colour('text'), 1]] as const) {
    context.strokeStyle = tone;
    context.lineWidth = thickness * ratio;
    context.beginPath();
    let isDrawing = false;
    middles.forEach((middle, column) => {
      if (middle === null) { isDrawing = false; return; }
      const [x, y] = [((column + 0.5) / columns) * width, height - ((middle - low) / (step * rows)) * height];
      if (isDrawing) context.lineTo(x, y); else context.moveTo(x, y);
      isDrawing = true;
    });
    context.stroke();
  }
}

/** The same in words and numbers: where most has rested. */
function Table({ grid, snapshots, digits, unit }: { grid: Grid; snapshots: readonly Snapshot[]; digits: number; unit: string }) {
  const t = useText();
  const price = usePriceText(digits);
  const amount = useAmountText();
  return (
    <details className="heat-table">
      <summary>{t('heat.table')}</summary>
      <table className="table">
        <caption className="visually-hidden">{t('heat.table')}</caption>
        <thead><tr><th scope="col">{t('heat.side')}</th><th scope="col">{t('book.price')}</th><th scope="col" className="end">{t('heat.mean', { unit })}</th></tr></thead>
        <tbody>
          {SIDES.flatMap(side => strongest(snapshots, grid, side, NAMED).map(({ from, to, quantity }) => (
            <tr key={`${side} ${from}`}><td>{t(`book.${side}`)}</td><td>{price(from)} – {price(to)}</td><td className="end">{amount(quantity)}</td></tr>
          )))}
        </tbody>
      </table>
    </details>
  );
}
