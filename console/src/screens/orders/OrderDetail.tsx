import { Link, useParams } from 'react-router';
import { useQuery } from 'urql';
import { formatDecimal } from '../../format/decimal.ts';
import { useLanguage } from '../../i18n/text.tsx';
import { useUserEvents } from '../../live/events.tsx';
import { Denials } from '../../reasons/Reasons.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Quantity, Time } from '../../shared/values.tsx';
import { AmendButton } from './Amend.tsx';
import { OrderLifeDocument, type OrderLifeQuery } from './orders.generated.ts';
import { CancelButton, Side, Status } from './OrderTable.tsx';
import { useText } from './text.ts';
import './orders.css';

type Order = Extract<NonNullable<OrderLifeQuery['node']>, { __typename: 'Order' }>;
type LifeEvent = Order['events']['nodes'][number];

const ENDED = new Set(['FILLED', 'CANCELED', 'DENIED', 'REJECTED', 'EXPIRED', 'PENDING_CANCEL']);

export default function OrderDetail() {
  const t = useText();
  const id = useParams()['id'] ?? '';
  const [{ data, error, fetching }, again] = useQuery({ query: OrderLifeDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  useUserEvents(['ORDER', 'FILL'], ({ subject }) => { if (subject?.id === id) reload(); });
  if (error && !data?.node) return <ErrorState error={error} onRetry={reload} />;
  if (data?.node?.__typename !== 'Order') return fetching ? <Loading /> : <EmptyState title={t('noSuch')} action={<Link className="button" to="/orders">{t('title')}</Link>} />;
  const order = data.node;
  return (
    <Page title={`${t('order')} ${order.market.symbol}`} actions={!ENDED.has(order.status) && <><AmendButton order={order} /><CancelButton order={order} /></>}>
      <div className="order-detail">
        <Panel title={t('life')}><Timeline order={order} /></Panel>
        <Panel title={t('facts')}><Facts order={order} /></Panel>
      </div>
      {order.denials.length > 0 && (
        <Panel title={t('reasons')}>
          <div className="body"><Denials denials={order.denials} /></div>
        </Panel>
      )}
    </Page>
  );
}

function Timeline({ order }: { order: Order }) {
  const events = order.events.nodes.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return <ol className="timeline">{events.map(event => <Step key={event.cursor} event={event} order={order} />)}</ol>;
}

function Step({ event: { at, kind, reason, fill, order: state }, order }: { event: LifeEvent; order: Order }) {
  const t = useText();
  const { language } = useLanguage();
  return (
    <li className={kind}>
      <Time at={at} />
      <div>
        <strong>{t(`kind.${kind}`)}</strong>
        {fill && (
          <p>
            {t('ofFill', { quantity: `${formatDecimal(fill.quantity, language)} ${order.market.base}`, price: `${formatDecimal(fill.price, language)} ${order.market.quote}` })}
            <span className="muted"> · {t('fee', { fee: formatDecimal(fill.fee, language), currency: fill.feeCurrency })}{fill.maker !== null && ` · ${t(fill.maker ? 'maker' : 'taker')}`}</span>
          </p>
        )}
        {reason && <p>{reason}</p>}
        <p className="muted">{t(`status.${state.status}`)}</p>
      </div>
    </li>
  );
}

function Facts({ order }: { order: Order }) {
  const t = useText();
  const { base, quote } = order.market;
  return (
    <dl className="body facts">
      <dt>{t('status')}</dt><dd><Status order={order} /></dd>
      <dt>{t('side')}</dt><dd><Side side={order.side} /></dd>
      <dt>{t('type')}</dt><dd>{t(`type.${order.type}`)}</dd>
      <dt>{t('quantity')}</dt><dd><Quantity value={order.quantity} unit={base} /></dd>
      <dt>{t('filled')}</dt><dd><Quantity value={order.filledQuantity} unit={base} /></dd>
      {order.price !== null && <><dt>{t('price')}</dt><dd><Quantity value={order.price} unit={quote} /></dd></>}
      {order.stopPrice !== null && <><dt>{t('trigger')}</dt><dd><Quantity value={order.stopPrice} unit={quote} /></dd></>}
      <dt>{t('average')}</dt><dd><Quantity value={order.averagePrice} unit={quote} /></dd>
      <dt>{t('fees')}</dt><dd>{(order.fees ?? []).map(({ currency, amount }) => <Quantity key={currency} value={amount} unit={currency} />)}</dd>
      {order.protection?.stopLossPrice && <><dt>{t('stopLoss')}</dt><dd><Quantity value={order.protection.stopLossPrice} unit={quote} /></dd></>}
      {order.protection?.takeProfitPrice && <><dt>{t('takeProfit')}</dt><dd><Quantity value={order.protection.takeProfitPrice} unit={quote} /></dd></>}
      <dt>{t('account')}</dt><dd>{order.account.name}</dd>
      <dt>{t('venueId')}</dt><dd>{order.venueOrderId ?? '–'}</dd>
      <dt>{t('clientId')}</dt><dd>{order.clientOrderId}</dd>
    </dl>
  );
}
