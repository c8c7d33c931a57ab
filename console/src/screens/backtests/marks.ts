/** Round trips as marks on a chart: an arrow where each was opened, and one where it was closed. */
import type { ChartMark } from '../../charts/CandleChart.tsx';
import type { TradeFragment } from './backtests.generated.ts';

export function marksOf(trades: readonly TradeFragment[], market: string): ChartMark[] {
  return trades.filter(trade => (trade.market?.symbol ?? market) === market).flatMap(({ openedAt, closedAt, side, entryPrice, exitPrice }, index) => {
    const [enter, exit] = side === 'LONG' ? ['BUY', 'SELL'] as const : ['SELL', 'BUY'] as const;
    const opened: ChartMark = { id: `${index} opened`, at: openedAt, side: enter, text: entryPrice };
    return closedAt && exitPrice ? [opened, { id: `${index} closed`, at: closedAt, side: exit, text: exitPrice }] : [opened];
  });
}
