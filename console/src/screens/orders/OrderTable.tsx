import { useMemo, type ReactNode } from 'react';
import { Link } from 'react-router';
import { decimalsOf } from '../../format/decimal.ts';
import { Denied, Rejected } from '../../reasons/Reasons.tsx';
import { useErrorText } from '../../shared/errors.ts';
import { Table, type Column } from '../../shared/Table.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { Quantity, Time } from '../../shared/values.tsx';
import { useSafeMutation } from '../../transport/useSafeMutation.ts';
import { AmendButton } from './Amend.tsx';
import { CancelOrderDocument, type OrderRowFragment } from './orders.generated.ts';
import { useText } from './text.ts';

const ELSEWHERE = new Set(['market', 'account', 'average']);
const CANCELLABLE = new Set(['PENDING', 'OPEN', 'PARTIALLY_FILLED', 'SUBMITTED', 'IN_DOUBT']);
const TONES: Partial<Record<OrderRowFragment['status'], string>> = { FILLED: 'good', DENIED: 'bad', REJECTED: 'bad', IN_DOUBT: 'warn', PENDING_CANCEL: 'warn' };

/** `isOfOneMarket` leaves out what the market's page shows already. */
export function OrderTable({ orders, label, empty, isOfOneMarket = false }: { orders: readonly OrderRowFragment[]; label: string; empty: ReactNode; isOfOneMarket?: boolean }) {
  const t = useText();
  const columns = useMemo((): Column<OrderRowFragment>[] => [
    { id: 'time', header: t('time'), cell: order => <Link to={`/orders/${encodeURIComponent(order.id)}`} title={t('details')}><Time at={order.createdAt} /></Link> },
    { id: 'market', header: t('market'), cell: ({ market }) => <Link className="market-name" to={`/markets/${market.symbol}`}><b>{market.base}</b><span className="muted">/{market.quote}</span></Link> },
    { id: 'side', header: t('side'), cell: ({ side }) => <Side side={side} /> },
    { id: 'type', header: t('type'), cell: ({ type }) => t(`type.${type}`) },
    { id: 'quantity', header: t('quantity'), align: 'end', cell: ({ quantity }) => <Quantity value={quantity} /> },
    { id: 'filled', header: t('filled'), align: 'end', cell: ({ filledQuantity }) => <Quantity value={filledQuantity} /> },
    { id: 'price', header: t('price'), align: 'end', cell: ({ price, stopPrice, market }) => <Quantity value={price ?? stopPrice} digits={decimalsOf(market.priceIncrement)} /> },
    { id: 'average', header: t('average'), align: 'end', cell: ({ averagePrice }) => <Quantity value={averagePrice} /> },
    { id: 'status', header: t('status'), wrap: true, cell: order => <Status order={order} /> },
    { id: 'account', header: t('account'), cell: ({ account }) => account.name },
    { id: 'actions', header: <span className="visually-hidden">{t('actions')}</span>, cell: order => CANCELLABLE.has(order.status) && <span className="row"><AmendButton order={order} /><CancelButton order={order} /></span> },
  ], [t]);
  const shown = isOfOneMarket ? columns.filter(({ id }) => !ELSEWHERE.has(id)) : columns;
  return <Table label={label} columns={shown} rows={orders} rowKey={({ id }) => id} empty={empty} />;
}

export function Side({ side }: { side: 'BUY' | 'SELL' }) {
  const t = useText();
  return <span className={side === 'BUY' ? 'up' : 'down'}><span aria-hidden="true">{side === 'BUY' ? '▲' : '▼'} </span>{t(`side.${side}`)}</span>;
}

export function Status({ order }: { order: Pick<OrderRowFragment, 'status' | 'denials' | 'rejectCode' | 'rejectReason' | 'cancelCode'> }) {
  const t = useText();
  const { status, denials, rejectCode, rejectReason, cancelCode } = order;
  const why = denials[0] ? <Denied {...denials[0]} /> : rejectCode !== null || rejectReason !== null ? <Rejected rejectCode={rejectCode} rejectReason={rejectReason} />
    : cancelCode && cancelCode !== 'REQUESTED' ? t(`cancelCode.${cancelCode}`) : null;
  return <><span className={`badge ${TONES[status] ?? ''}`}>{t(`status.${status}`)}</span>{why && <div className="muted why">{why}</div>}</>;
}

export function CancelButton({ order }: { order: OrderRowFragment }) {
  const t = useText();
  const { ofPayload } = useErrorText();
  // Cancelling is asked for by the order's id: asking twice does nothing more.
  const [cancel, isCancelling] = useSafeMutation(CancelOrderDocument, { isIdempotent: true });
  const ask = async () => {
    const outcome = await cancel({ id: order.id });
    if (outcome.kind === 'unknown') showToast(t('cancelUnknown'), 'error');
    if (outcome.kind === 'rejected') outcome.errors.forEach(error => showToast(ofPayload(error), 'error'));
  };
  const name = t('cancelOne', { side: t(`side.${order.side}`), quantity: order.quantity, base: order.market.base });
  return <button type="button" className="button small danger" aria-label={name} disabled={isCancelling} onClick={() => void ask()}>{t('cancel')}</button>;
}
