import type { ReactNode } from 'react';
import { Change, Money, Quantity } from '../shared/values.tsx';
import type { FiguresFragment } from './lab.generated.ts';
import { useText } from './text.ts';

/** A figure that the engine gives as a number, such as a ratio, for what shows decimals. */
export const text = (value: number | null | undefined): string | null => (value === null || value === undefined ? null : String(value));

export const Percent = ({ value }: { value: number | null | undefined }) => <Quantity value={text(value)} digits={2} unit="%" />;
const Ratio = ({ value }: { value: number | null | undefined }) => <Quantity value={text(value)} digits={2} />;

const ROWS = ['netProfit', 'return', 'market', 'drawdown', 'sharpe', 'sortino', 'profitFactor', 'trades', 'winRate', 'expectancy', 'best', 'worst', 'exposure', 'fees', 'denied'] as const;
type Row = (typeof ROWS)[number];

function valuesOf(figures: FiguresFragment): Record<Row, ReactNode> {
  const { currency } = figures;
  return {
    netProfit: <Money value={figures.netProfit} currency={currency} tone />,
    return: <Change percent={text(figures.netProfitPercent)} />,
    market: <Change percent={text(figures.marketChangePercent)} />,
    drawdown: <Percent value={figures.maxDrawdownPercent} />,
    sharpe: <Ratio value={figures.sharpe} />,
    sortino: <Ratio value={figures.sortino} />,
    profitFactor: <Ratio value={figures.profitFactor} />,
    trades: <Quantity value={String(figures.roundTrips)} />,
    winRate: <Percent value={figures.winRate} />,
    expectancy: <Money value={figures.expectancy} currency={currency} tone />,
    best: <Money value={figures.bestTrade} currency={currency} tone />,
    worst: <Money value={figures.worstTrade} currency={currency} tone />,
    exposure: <Percent value={figures.exposurePercent} />,
    fees: <Money value={figures.fees} currency={currency} />,
    denied: <Quantity value={String(figures.ordersDenied + figures.ordersRejected)} />,
  };
}

/** The figures of one or more runs, side by side. */
export function FiguresTable({ label, columns }: { label: string; columns: readonly { title: string; figures: FiguresFragment | null | undefined }[] }) {
  const t = useText();
  const values = columns.map(({ figures }) => figures && valuesOf(figures));
  return (
    <div className="table-wrap" tabIndex={0} role="region" aria-label={label}>
      <table className="table">
        <thead><tr><th scope="col">{t('figure')}</th>{columns.map(({ title }) => <th key={title} scope="col" className="end">{title}</th>)}</tr></thead>
        <tbody>
          {ROWS.map(row => (
            <tr key={row}><th scope="row">{t(`figure.${row}`)}</th>{values.map((each, index) => <td key={columns[index]?.title} className="end">{each?.[row] ?? '–'}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The figures of a run as tiles. */
export function FigureTiles({ figures }: { figures: FiguresFragment }) {
  const t = useText();
  const values = valuesOf(figures);
  return (
    <>
      <dl className="tiles">{ROWS.map(row => <div key={row}><dt>{t(`figure.${row}`)}</dt><dd>{values[row]}</dd></div>)}</dl>
      {figures.notes.map(note => <div key={note.code + note.message} className="notice warn">{note.message}</div>)}
    </>
  );
}
