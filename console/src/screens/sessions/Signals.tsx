import { Link } from 'react-router';
import { useQuery } from 'urql';
import { useUserEvents } from '../../live/events.tsx';
import { Denials, Rejected } from '../../reasons/Reasons.tsx';
import { Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Quantity, Time } from '../../shared/values.tsx';
import { SessionSignalsDocument, type SessionRowFragment, type SignalRowFragment } from './sessions.generated.ts';
import { useText } from './text.ts';

/** What the strategy decided, why, and what became of it. */
export function Signals({ session }: { session: SessionRowFragment }) {
  const t = useText();
  const [{ data, error }, again] = useQuery({ query: SessionSignalsDocument, variables: { id: session.id }, requestPolicy: 'cache-and-network' });
  const refresh = () => again({ requestPolicy: 'network-only' });
  useUserEvents(['SIGNAL'], refresh);
  const signals = data?.node && 'signals' in data.node ? data.node.signals.nodes : null;
  const columns: Column<SignalRowFragment>[] = [
    { id: 'at', header: t('signal.at'), cell: ({ at }) => <Time at={at} /> },
    ...(session.markets.length > 1 ? [{ id: 'market', header: t('market'), cell: ({ market }: SignalRowFragment) => market.symbol }] : []),
    { id: 'action', header: t('signal.action'), cell: ({ action }) => t(`action.${action}`) },
    { id: 'price', header: t('signal.price'), align: 'end', cell: ({ price }) => <Quantity value={price} /> },
    { id: 'why', header: t('why'), wrap: true, cell: ({ reason }) => <span className="code">{reason}</span> },
    { id: 'became', header: t('signal.became'), wrap: true, cell: signal => <Became signal={signal} /> },
  ];
  return (
    <Panel title={t('signals')}>
      {error && !data ? <ErrorState error={error} onRetry={refresh} /> : signals === null ? <Loading />
        : <Table label={t('signals.table')} columns={columns} rows={signals} rowKey={({ id }) => id} maxHeight={460} empty={<EmptyState title={t('signals.none')}>{t('signals.noneText')}</EmptyState>} />}
    </Panel>
  );
}

function Became({ signal: { missed, waiting, order } }: { signal: SignalRowFragment }) {
  const t = useText();
  if (missed) return <span className="badge bad">{t('signal.missed')}</span>;
  if (waiting) return <span className="badge warn">{t('signal.waiting')}</span>;
  if (!order) return t('signal.noOrder');
  return (
    <>
      <Link to={`/orders/${order.id}`}>{t(`order.${order.status}`)}</Link> {order.averagePrice && <Quantity value={order.averagePrice} atMost={8} />}
      {(order.rejectCode ?? order.rejectReason) !== null && <div className="mistake"><Rejected {...order} /></div>}
      {order.denials.length > 0 && <div className="mistake"><Denials denials={order.denials} /></div>}
    </>
  );
}
