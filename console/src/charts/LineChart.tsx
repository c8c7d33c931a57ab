import { lazy, Suspense } from 'react';
import { Loading } from '../shared/states.tsx';
import type { LineChartProps } from './Lines.tsx';

export type { LineChartProps, LineData } from './Lines.tsx';

const Lines = lazy(() => import('./Lines.tsx'));

/** Long series over time, such as equity; the library is loaded when the first chart is shown. */
export function LineChart(props: LineChartProps) {
  return <Suspense fallback={<Loading />}><Lines {...props} /></Suspense>;
}
