import { lazy, Suspense } from 'react';
import { Loading } from '../shared/states.tsx';
import type { CandleChartProps } from './Candles.tsx';

export type { CandleBar, CandleChartProps, ChartLine, ChartMark, ChartProfile } from './Candles.tsx';

const Candles = lazy(() => import('./Candles.tsx'));

/** Candles with volume, lines and marks; the library is loaded when the first chart is shown. */
export function CandleChart(props: CandleChartProps) {
  return <Suspense fallback={<Loading />}><Candles {...props} /></Suspense>;
}
