/** Draws candles by lightweight-charts. Decimals become floats here, for pixels alone. */
import {
  CandlestickSeries, createChart, createSeriesMarkers, HistogramSeries, LineSeries, LineStyle, TickMarkType,
  type IChartApi, type IPriceLine, type ISeriesApi, type ISeriesMarkersPluginApi, type Time, type UTCTimestamp,
} from 'lightweight-charts';
import { useEffect, useRef } from 'react';
import { toPixels } from '../format/decimal.ts';
import { formatTime } from '../format/time.ts';
import { useLanguage } from '../i18n/text.tsx';
import { useTimeZone } from '../shared/values.tsx';
import { useShownTheme } from '../shell/theme.ts';
import { colour } from './colours.ts';
import { VolumeProfile } from './VolumeProfile.ts';
import './charts.css';

export interface CandleBar { openTime: string; open: string; high: string; low: string; close: string; volume: string }
/** A horizontal line, such as an order's price. */
export interface ChartLine { id: string; price: string; title: string; side: 'BUY' | 'SELL' | null; isSolid?: boolean }
/** Volume by price, drawn from the right edge; levels are lowest first. */
export interface ChartProfile { levels: readonly { priceLow: string; priceHigh: string; volume: string; buyVolume: string }[]; valueArea: readonly [string, string] | null }
/** A fill, drawn at its candle. */
export interface ChartMark { id: string; at: string; side: 'BUY' | 'SELL'; text: string }
export interface ChartSeries { id: string; title: string; points: readonly { at: string; value: string | null }[]; isOwnPane?: boolean }

export interface CandleChartProps {
  label: string;
  candles: readonly CandleBar[];
  /** The newest candle, when it changes alone. */
  live?: CandleBar | null;
  digits: number;
  lines?: readonly ChartLine[];
  marks?: readonly ChartMark[];
  series?: readonly ChartSeries[];
  profile?: ChartProfile | null;
  /** Called when the user scrolls to the beginning. */
  onReachStart?: () => void;
}

interface Parts {
  chart: IChartApi;
  candles: ISeriesApi<'Candlestick'>;
  volume: ISeriesApi<'Histogram'>;
  marks: ISeriesMarkersPluginApi<Time>;
  lines: Map<string, IPriceLine>;
  series: Map<string, ISeriesApi<'Line'>>;
}

const SERIES_COLOURS = ['#c78bff', '#3ecfb2', '#f2c94c', '#ff7aa8', '#9fb0c3'];
const stamp = (at: string): UTCTimestamp => (Date.parse(at) / 1000) as UTCTimestamp;

export default function Candles({ label, candles, live = null, digits, lines = [], marks = [], series = [], profile = null, onReachStart }: CandleChartProps) {
  const element = useRef<HTMLDivElement>(null);
  const parts = useRef<Parts | null>(null);
  const reach = useRef(onReachStart);
  useEffect(() => { reach.current = onReachStart; });
  const theme = useShownTheme();
  const { language } = useLanguage();
  const zone = useTimeZone();

  useEffect(() => {
    if (!element.current) return undefined;
    const chart = createChart(element.current, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 11, background: { color: 'transparent' } },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 6, barSpacing: 7 },
      crosshair: { mode: 0 },
    });
    const candleSeries = chart.addSeries(CandlestickSeries, {});
    const volume = chart.addSeries(HistogramSeries, { priceFormat: { type: 'volume' }, priceScaleId: 'volume', lastValueVisible: false, priceLineVisible: false });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    candleSeries.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } });
    parts.current = { chart, candles: candleSeries, volume, marks: createSeriesMarkers(candleSeries, []), lines: new Map(), series: new Map() };
    chart.timeScale().subscribeVisibleLogicalRangeChange(range => { if (range && range.from < 20) reach.current?.(); });
    return () => { parts.current = null; chart.remove(); };
  }, []);

  useEffect(() => {
    const { current } = parts;
    if (!current) return;
    current.candles.applyOptions({ priceFormat: { type: 'price', precision: digits, minMove: 10 ** -digits } });
  }, [digits]);

  useEffect(() => {
    const at = (time: Time, style: 'time' | 'date' | 'both') => formatTime(Number(time) * 1000, language, style, zone);
    const [up, down, text, line] = [colour('up'), colour('down'), colour('muted'), colour('line')];
    parts.current?.chart.applyOptions({
      layout: { textColor: text, panes: { separatorColor: line } },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: {
        borderColor: line,
        tickMarkFormatter: (time: Time, type: TickMarkType) => (type < TickMarkType.Time ? at(time, 'date') : at(time, 'time').slice(0, 5)),
      },
      localization: { locale: language, timeFormatter: (time: Time) => at(time, 'both') },
    });
    // Falling candles are filled and rising ones hollow, so that colour isn't all that tells them apart.
    parts.current?.candles.applyOptions({ upColor: 'transparent', downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down });
  }, [theme, language, zone]);

  useEffect(() => {
    const { current } = parts;
    if (!current) return;
    current.candles.setData(candles.map(toBar));
    current.volume.setData(candles.map(toVolume));
  }, [candles, theme]);

  useEffect(() => {
    const { current } = parts;
    const last = candles.at(-1);
    if (!current || !live || (last && Date.parse(live.openTime) < Date.parse(last.openTime))) return;
    current.candles.update(toBar(live));
    current.volume.update(toVolume(live));
  }, [live, candles]);

  useEffect(() => {
    const { current } = parts;
    if (!current) return;
    current.lines.forEach(line => current.candles.removePriceLine(line));
    current.lines = new Map(lines.map(({ id, price, title, side, isSolid }) => [id, current.candles.createPriceLine({
      price: toPixels(price), title, color: colour(side === null ? 'muted' : side === 'BUY' ? 'up' : 'down'), lineStyle: isSolid ? LineStyle.Solid : LineStyle.Dashed, lineWidth: 1,
    })]));
  }, [lines, theme]);

  useEffect(() => {
    const { current } = parts;
    if (!current || !profile) return undefined;
    const drawn = new VolumeProfile(profile);
    current.candles.attachPrimitive(drawn);
    return () => { if (parts.current) current.candles.detachPrimitive(drawn); };
  }, [profile, theme]);

  useEffect(() => {
    parts.current?.marks.setMarkers([...marks].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).map(({ id, at, side, text }) => ({
      id, time: candleTime(candles, at), text, color: colour(side === 'BUY' ? 'up' : 'down'),
      position: side === 'BUY' ? 'belowBar' : 'aboveBar', shape: side === 'BUY' ? 'arrowUp' : 'arrowDown',
    })));
  }, [marks, candles, theme]);

  useEffect(() => {
    const { current } = parts;
    if (!current) return;
    current.series.forEach(each => current.chart.removeSeries(each));
    current.series = new Map(series.map(({ id, title, points, isOwnPane }, index) => {
      const line = current.chart.addSeries(LineSeries, {
        title, color: SERIES_COLOURS[index % SERIES_COLOURS.length] ?? '', lineWidth: 1, priceLineVisible: false, lastValueVisible: false,
      }, isOwnPane ? 1 : 0);
      line.setData(points.map(({ at, value }) => (value === null ? { time: stamp(at) } : { time: stamp(at), value: toPixels(value) })));
      return [id, line];
    }));
    current.chart.panes()[1]?.setHeight(110);
  }, [series]);

  return <div className="chart" ref={element} role="img" aria-label={label} />;
}

const toBar = ({ openTime, open, high, low, close }: CandleBar) =>
  ({ time: stamp(openTime), open: toPixels(open), high: toPixels(high), low: toPixels(low), close: toPixels(close) });

const toVolume = ({ openTime, open, close, volume }: CandleBar) =>
  ({ time: stamp(openTime), value: toPixels(volume), color: colour(toPixels(close) >= toPixels(open) ? 'up-soft' : 'down-soft') });

/** The opening of the candle in which `at` lies. */
function candleTime(candles: readonly CandleBar[], at: string): UTCTimestamp {
  const time = Date.parse(at);
  const candle = candles.findLast(({ openTime }) => Date.parse(openTime) <= time);
  return stamp(candle?.openTime ?? at);
}
