import type { CombinedError } from '@urql/core';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useClient, useQuery } from 'urql';
import { barsOf } from '../../charts/bars.ts';
import { CandleChart, type CandleBar, type ChartLine, type ChartProfile } from '../../charts/CandleChart.tsx';
import { formatDecimal } from '../../format/decimal.ts';
import { useLanguage } from '../../i18n/text.tsx';
import { useStream } from '../../live/useStream.ts';
import { levelsOf } from '../../protection/levels.ts';
import { useErrorText } from '../../shared/errors.ts';
import { Quantity, useNow } from '../../shared/values.tsx';
import { CandlesDocument, IndicatorDocument, IndicatorsDocument, LiveCandleDocument, VolumeProfileDocument, type CandlesQuery, type CandlesQueryVariables, type VolumeProfileQuery } from './market.generated.ts';
import type { MarketInfo } from './Market.tsx';
import type { OwnFill, OwnOrder, OwnPosition } from './useMarketOrders.ts';
import { useText } from './text.ts';

type Timeframe = CandlesQueryVariables['timeframe'];
type Profile = NonNullable<NonNullable<VolumeProfileQuery['market']>['volumeProfile']>;
type Page = Pick<NonNullable<NonNullable<CandlesQuery['market']>['candleSeries']>, 'pageInfo'> & { nodes: CandleBar[] };

const PAGE = 500;
const MINUTE_MS = 60_000;
const LABELS: Record<Timeframe, string> = { M1: '1m', M3: '3m', M5: '5m', M15: '15m', M30: '30m', H1: '1h', H2: '2h', H4: '4h', H6: '6h', H12: '12h', D1: '1d', W1: '1w' };
/** Groups of TA-Lib whose values are prices, and so belong over the candles. */
const OVERLAYS = new Set(['Overlap Studies', 'Price Transform']);
/** 0 is no profile. */
const PROFILE_HOURS = [0, 4, 24, 168];
const OPEN = new Set(['OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL', 'SUBMITTED', 'IN_DOUBT']);

interface Props { market: MarketInfo; digits: number; orders: readonly OwnOrder[]; fills: readonly OwnFill[]; positions: readonly OwnPosition[] }

export function MarketChart({ market, digits, orders, fills, positions }: Props) {
  const t = useText();
  const { language } = useLanguage();
  const { symbol } = market;
  const [timeframe, setTimeframe] = useState<Timeframe>('M1');
  const [indicator, setIndicator] = useState('');
  const { candles, live, loadOlder } = useCandles(symbol, timeframe);
  const series = useIndicator(symbol, timeframe, indicator, candles.length);
  const [profileHours, setProfileHours] = useState(0);
  const profile = useVolumeProfile(symbol, profileHours);
  const orderLines = useMemo(() => orders.filter(({ status }) => OPEN.has(status)).flatMap(({ id, price, stopPrice, side, remainingQuantity }) => {
    const at = price ?? stopPrice;
    return at === null ? [] : [{ id, price: at, side, title: `${side === 'BUY' ? '▲' : '▼'} ${formatDecimal(remainingQuantity, language)}` }];
  }), [orders, language]);
  const positionLines = useMemo(() => positions.flatMap(({ id, averagePrice, quantity, protections }): ChartLine[] => [
    ...(averagePrice === null ? [] : [{ id, price: averagePrice, side: null, title: t('line.position', { quantity: formatDecimal(quantity, language) }), isSolid: true }]),
    ...levelsOf(protections).map(({ kind, price }, index) => ({ id: `${id} ${index}`, price, side: null, title: t(`line.${kind}`) })),
  ]), [positions, language, t]);
  // An order that keeps a level at the venue is drawn once, by the level's name.
  const lines = useMemo(() => [...orderLines.filter(({ price }) => !positionLines.some(line => line.price === price)), ...positionLines], [orderLines, positionLines]);
  const marks = useMemo(() => fills.map(({ id, at, order, quantity }) => ({ id, at, side: order.side, text: formatDecimal(quantity, language) })), [fills, language]);
  return (
    <>
      <div className="chart-bar">
        <div className="tabs" role="group" aria-label={t('timeframe')}>
          {(market.venue.timeframes ?? ['M1', 'M5', 'H1', 'D1']).map(name => (
            <button type="button" className="tab" key={name} aria-pressed={name === timeframe} onClick={() => setTimeframe(name)}>{LABELS[name]}</button>
          ))}
        </div>
        <div className="row">
          <select className="input" aria-label={t('profile')} value={profileHours} onChange={event => setProfileHours(Number(event.target.value))}>
            {PROFILE_HOURS.map(hours => <option key={hours} value={hours}>{hours === 0 ? t('profile.none') : t('profile.hours', { hours })}</option>)}
          </select>
          <IndicatorChoice value={indicator} onValue={setIndicator} />
        </div>
      </div>
      <div className="chart-area">
        <CandleChart label={t('chart', { symbol, timeframe: LABELS[timeframe] })} candles={candles} live={live} digits={digits} lines={lines} marks={marks} series={series} profile={profile.shown} onReachStart={loadOlder} />
      </div>
      {profileHours > 0 && <ProfileText market={market} profile={profile} digits={digits} />}
    </>
  );
}

function IndicatorChoice({ value, onValue }: { value: string; onValue: (value: string) => void }) {
  const t = useText();
  const [{ data }] = useQuery({ query: IndicatorsDocument });
  const groups = useMemo(() => {
    const found = new Map<string, { name: string; title: string }[]>();
    for (const each of data?.indicators ?? []) found.set(each.group, [...(found.get(each.group) ?? []), each]);
    return [...found].sort(([a], [b]) => a.localeCompare(b));
  }, [data]);
  return (
    <select className="input" aria-label={t('indicator')} value={value} onChange={event => onValue(event.target.value)}>
      <option value="">{t('indicator.none')}</option>
      {groups.map(([group, members]) => (
        <optgroup label={group} key={group}>{members.map(({ name, title }) => <option key={name} value={name}>{name} · {title}</option>)}</optgroup>
      ))}
    </select>
  );
}

/** The newest candles, those before them as the user scrolls back, and the forming one. */
function useCandles(symbol: string, timeframe: Timeframe) {
  const client = useClient();
  const [page, setPage] = useState<{ key: string; nodes: readonly CandleBar[]; before: string | null }>({ key: '', nodes: [], before: null });
  const [live, setLive] = useState<{ key: string; candle: CandleBar } | null>(null);
  const [isLoading, setLoading] = useState(false);
  const [asked, setAsked] = useState(0);
  const key = `${symbol} ${timeframe}`;
  const load = useCallback(async (before: string | null): Promise<Page | null> => {
    const { data } = await client.query(CandlesDocument, { symbol, timeframe, last: PAGE, before }, { requestPolicy: 'network-only' }).toPromise();
    const series = data?.market?.candleSeries;
    return series ? { nodes: barsOf(series), pageInfo: series.pageInfo } : null;
  }, [client, symbol, timeframe]);
  useEffect(() => {
    let isCurrent = true;
    void load(null).then(found => {
      if (isCurrent && found) setPage({ key, nodes: found.nodes, before: found.pageInfo.hasPreviousPage ? (found.pageInfo.startCursor ?? null) : null });
    });
    return () => { isCurrent = false; };
  }, [load, key, asked]);
  useStream(LiveCandleDocument, { symbol, timeframe }, ({ candles }) => {
    setLive({ key, candle: candles });
    if (candles.closed) setPage(known => (known.key === key ? { ...known, nodes: withClosed(known.nodes, candles) } : known));
  }, { onInterrupted: () => setAsked(times => times + 1) }); // what closed meanwhile is read again
  const loadOlder = () => {
    if (isLoading || page.before === null || page.key !== key) return;
    setLoading(true);
    void load(page.before).then(found => {
      if (found) setPage(known => (known.key === key ? { key, nodes: [...found.nodes, ...known.nodes], before: found.pageInfo.hasPreviousPage ? (found.pageInfo.startCursor ?? null) : null } : known));
      setLoading(false);
    });
  };
  return { candles: page.key === key ? page.nodes : NONE, live: live?.key === key ? live.candle : null, loadOlder };
}

const NONE: readonly CandleBar[] = [];

/** A closed candle once, in its place; the venue's own stays where both are known. */
function withClosed(nodes: readonly CandleBar[], closed: CandleBar): readonly CandleBar[] {
  const last = nodes.at(-1);
  return last && Date.parse(last.openTime) >= Date.parse(closed.openTime) ? nodes : [...nodes, closed];
}

function useIndicator(symbol: string, timeframe: Timeframe, name: string, count: number) {
  const [{ data: catalogue }] = useQuery({ query: IndicatorsDocument });
  const isOverlay = OVERLAYS.has(catalogue?.indicators.find(each => each.name === name)?.group ?? '');
  const [{ data }] = useQuery({ query: IndicatorDocument, variables: { symbol, timeframe, name, last: Math.min(Math.max(count, 1), 1_000) }, pause: name === '' || count === 0 });
  return useMemo(() => {
    const found = name === '' ? null : data?.market?.indicator;
    return (found?.outputs ?? []).map(output => ({
      id: `${name} ${output.name}`, title: output.name === 'real' ? name : output.name, isOwnPane: !isOverlay,
      points: (found?.times ?? []).map((at, index) => ({ at, value: output.values[index]?.toString() ?? null })),
    }));
  }, [data, name, isOverlay]);
}

interface ProfileState { found: Profile | null | undefined; shown: ChartProfile | null; error: CombinedError | undefined; isLoading: boolean }

/** The volume by price of the last hours, to the minute. */
function useVolumeProfile(symbol: string, hours: number): ProfileState {
  const minute = Math.floor(useNow(MINUTE_MS) / MINUTE_MS) * MINUTE_MS;
  const variables = { symbol, from: new Date(minute - hours * 60 * MINUTE_MS).toISOString(), to: new Date(minute).toISOString() };
  const [{ data, error, fetching }] = useQuery({ query: VolumeProfileDocument, variables, pause: hours === 0 });
  const found = hours === 0 ? null : data?.market?.volumeProfile;
  const shown = useMemo((): ChartProfile | null => found && {
    levels: found.levels, valueArea: found.valueAreaLow === null || found.valueAreaHigh === null ? null : [found.valueAreaLow, found.valueAreaHigh],
  } || null, [found]);
  return { found, shown, error, isLoading: fetching };
}

/** The profile in words, for those who don't see it. */
function ProfileText({ market, profile: { found, error, isLoading }, digits }: { market: MarketInfo; profile: ProfileState; digits: number }) {
  const t = useText();
  const { ofQuery } = useErrorText();
  if (!found) return <p className="profile-text muted" role="status">{error ? ofQuery(error) : isLoading ? t('profile.loading') : t('profile.empty')}</p>;
  if (found.pointOfControl === null) return <p className="profile-text muted" role="status">{t('profile.empty')}</p>;
  return (
    <p className="profile-text" role="status">
      {t('profile.control')} <Quantity value={found.pointOfControl} digits={digits} /> · {t('profile.area')} <Quantity value={found.valueAreaLow} digits={digits} /> – <Quantity value={found.valueAreaHigh} digits={digits} />
      {' · '}{t('profile.volume')} <Quantity value={found.volume} atMost={4} unit={market.base} />
      <span className="muted"> · {t(`profile.${found.source}`)}{found.missingMinutes > 0 && ` · ${t('profile.missing', { minutes: found.missingMinutes })}`}</span>
    </p>
  );
}
