/** A table; a long one has only the rows in view in the page. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type ReactNode } from 'react';

export interface Column<Row> {
  id: string;
  header: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the end of their column. */
  align?: 'end';
  wrap?: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  empty?: ReactNode;
  /** The height, in pixels or as CSS, from which on it scrolls by itself. */
  maxHeight?: number | string;
  /** Called with the first and the last row that are in the page, which are all of a short table. */
  onView?: (first: number, last: number) => void;
}

const ROW_PX = 34;
const VIRTUAL_FROM = 150;

export function Table<Row>(props: Props<Row>) {
  if (props.rows.length === 0 && props.empty) return props.empty;
  return props.rows.length > VIRTUAL_FROM || props.onView ? <LongTable {...props} /> : <ShortTable {...props} />;
}

function ShortTable<Row>({ label, columns, rows, rowKey, maxHeight }: Props<Row>) {
  return (
    <div className="table-wrap" tabIndex={0} role="group" aria-label={label} style={{ maxHeight }}>
      <table className="table">
        <Head columns={columns} />
        <tbody>{rows.map(row => <Cells key={rowKey(row)} columns={columns} row={row} />)}</tbody>
      </table>
    </div>
  );
}

function LongTable<Row>({ label, columns, rows, rowKey, maxHeight = 640, onView }: Props<Row>) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PX, overscan: 12 });
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? -1];
  useEffect(() => { if (last >= 0) onView?.(first, last); }, [first, last, onView]);
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div className="table-wrap" tabIndex={0} role="group" aria-label={label} ref={scroller} style={{ maxHeight }}>
      <table className="table" aria-rowcount={rows.length + 1}>
        <Head columns={columns} />
        <tbody>
          <tr className="spacer" aria-hidden="true"><td colSpan={columns.length} style={{ height: before }} /></tr>
          {items.map(({ index }) => {
            const row = rows[index] as Row;
            return <Cells key={rowKey(row)} columns={columns} row={row} index={index + 2} />;
          })}
          <tr className="spacer" aria-hidden="true"><td colSpan={columns.length} style={{ height: after }} /></tr>
        </tbody>
      </table>
    </div>
  );
}

function Head<Row>({ columns }: { columns: Column<Row>[] }) {
  return <thead><tr>{columns.map(({ id, header, align }) => <th key={id} scope="col" className={align}>{header}</th>)}</tr></thead>;
}

function Cells<Row>({ columns, row, index }: { columns: Column<Row>[]; row: Row; index?: number }) {
  return (
    <tr aria-rowindex={index}>
      {columns.map(({ id, cell, align, wrap }) => <td key={id} className={`${align ?? ''} ${wrap ? 'wrap' : ''}`}>{cell(row)}</td>)}
    </tr>
  );
}
