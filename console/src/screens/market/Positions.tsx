import { useMemo } from 'react';
import { decimalsOf, type Decimal } from '../../format/decimal.ts';
import { outcomeAt } from '../../protection/levels.ts';
import { Levels, ProtectButton } from '../../protection/Protect.tsx';
import { EmptyState } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Money, Quantity } from '../../shared/values.tsx';
import { useText } from './text.ts';
import type { OwnPosition } from './useMarketOrders.ts';

/** The viewer's open positions on the market at the live `price`, with what protects them. */
export function Positions({ positions, price }: { positions: readonly OwnPosition[]; price: Decimal | null }) {
  const t = useText();
  const columns = useMemo((): Column<OwnPosition>[] => [
    { id: 'account', header: t('position.account'), cell: ({ account, tradingSession }) => <>{account.name}{tradingSession && <> <span className="badge">{t('position.session')}</span></>}</> },
    { id: 'quantity', header: t('book.quantity'), align: 'end', cell: ({ quantity, market }) => <Quantity value={quantity} unit={market.base} /> },
    { id: 'mean', header: t('position.mean'), align: 'end', cell: ({ averagePrice, market }) => <Quantity value={averagePrice} digits={decimalsOf(market.priceIncrement)} /> },
    { id: 'open', header: t('position.unrealized'), align: 'end', cell: ({ averagePrice, quantity, market }) => <Money tone value={price !== null && averagePrice !== null ? outcomeAt(price, averagePrice, quantity) : null} currency={market.quote} /> },
    { id: 'protection', header: t('position.protection'), wrap: true, cell: position => <Levels position={position} /> },
    { id: 'actions', header: <span className="visually-hidden">{t('position.actions')}</span>, cell: position => <ProtectButton position={position} /> },
  ], [t, price]);
  return <Table label={t('positions')} columns={columns} rows={positions} rowKey={({ id }) => id} empty={<EmptyState title={t('positions.none')} />} />;
}
