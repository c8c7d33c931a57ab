/** Draws long series over time by uPlot. Decimals become floats here, for pixels alone. */
import { useEffect, useMemo, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatDecimal, toPixels } from '../format/decimal.ts';
import { formatTime } from '../format/time.ts';
import { useLanguage } from '../i18n/text.tsx';
import { useTimeZone } from '../shared/values.tsx';
import { useShownTheme } from '../shell/theme.ts';
import { colour } from './colours.ts';
import './charts.css';

export interface LineData {
  title: string;
  /** One value for each of the chart's times; null is a gap. */
  values: readonly (string | null)[];
  /** The name of a token, such as `accent` or `down`. */
  token?: string;
  isFilled?: boolean;
}

export interface LineChartProps {
  /** What a screen reader is given in its place. */
  label: string;
  times: readonly string[];
  lines: readonly LineData[];
  height?: number;
}

export default function Lines({ label, times, lines, height = 220 }: LineChartProps) {
  const element = useRef<HTMLDivElement>(null);
  const theme = useShownTheme();
  const { language } = useLanguage();
  const zone = useTimeZone();
  const data = useMemo(() => [
    times.map(at => Date.parse(at) / 1000),
    ...lines.map(({ values }) => values.map(value => (value === null ? null : toPixels(value)))),
  ] as UPlot.AlignedData, [times, lines]);

  useEffect(() => {
    const parent = element.current;
    if (!parent) return undefined;
    const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line') }, font: '11px system-ui' };
    const chart = new UPlot({
      width: parent.clientWidth, height, tzDate: at => new Date(at * 1000),
      cursor: { y: false },
      series: [
        { value: (_chart, at: number | null) => (at === null ? '' : formatTime(at * 1000, language, 'both', zone)) },
        ...lines.map(({ title, token = 'accent', isFilled }, index) => ({
          label: title, stroke: colour(token), width: 1.5, ...(isFilled && { fill: `${colour(token)}22` }),
          value: (_chart: UPlot, _value: number | null, _series: number, at: number | null) => {
            const exact = at === null ? null : lines[index]?.values[at];
            return exact ? formatDecimal(exact, language) : '–';
          },
        })),
      ],
      axes: [axis, { ...axis, size: 72, values: (_chart, values) => values.map(value => formatDecimal(String(value), language)) }],
    }, data, parent);
    const resize = new ResizeObserver(() => chart.setSize({ width: parent.clientWidth, height }));
    resize.observe(parent);
    return () => { resize.disconnect(); chart.destroy(); };
  }, [data, lines, height, theme, language, zone]);

  return <div ref={element} role="img" aria-label={label} />;
}
