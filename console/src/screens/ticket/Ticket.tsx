/** The order ticket of a market. */
import { useState, type FormEvent } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { useOptionalViewer } from '../../auth/viewer.tsx';
import { big, divide, formatDecimal, isDecimal, multiply, sign, subtract, type Decimal } from '../../format/decimal.ts';
import { useLanguage } from '../../i18n/text.tsx';
import { useUserEvents } from '../../live/events.tsx';
import { LevelField } from '../../protection/LevelField.tsx';
import { PreviewOrderDocument } from '../../preview/preview.generated.ts';
import { useDryRun } from '../../preview/useDryRun.ts';
import { Verdict } from '../../preview/Verdict.tsx';
import { Denials, type Denial } from '../../reasons/Reasons.tsx';
import { DecimalField, FormErrors, SelectField } from '../../shared/form.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { Money, Quantity } from '../../shared/values.tsx';
import { newIdempotencyKey } from '../../transport/idempotency.ts';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import type { MarketQuery } from '../market/market.generated.ts';
import { useText as useOrderText } from '../orders/text.ts';
import { sizeOrder, stopPrice, type SizedBy } from './sizing.ts';
import { PlaceOrderDocument, TicketAccountsDocument, type PlaceOrderMutationVariables, type TicketAccountsQuery } from './ticket.generated.ts';
import { OpenPaperAccount } from './OpenPaperAccount.tsx';
import { useText } from './text.ts';
import './ticket.css';

type Market = NonNullable<MarketQuery['market']>;
type Account = NonNullable<NonNullable<TicketAccountsQuery['viewer']>['accounts']>['nodes'][number];
type OrderInput = PlaceOrderMutationVariables['input'];
interface Prices { bid: Decimal | null; ask: Decimal | null }

export function Ticket({ market, prices }: { market: Market; prices: Prices }) {
  const t = useText();
  const viewer = useOptionalViewer();
  if (!viewer) {
    const from = encodeURIComponent(`/markets/${market.symbol}`);
    return <EmptyState title={t('signIn')} action={<Link className="button primary" to={`/sign-in?register&from=${from}`}>{t('signIn.action')}</Link>}>{t('signIn.text')}</EmptyState>;
  }
  return <UserTicket market={market} prices={prices} />;
}

function UserTicket({ market, prices }: { market: Market; prices: Prices }) {
  const [{ data, error }, again] = useQuery({ query: TicketAccountsDocument });
  const reload = () => again({ requestPolicy: 'network-only' });
  useUserEvents(['ORDER', 'FILL', 'ACCOUNT'], reload);
  if (error && !data) return <ErrorState error={error} onRetry={reload} />;
  if (!data) return <Loading />;
  const accounts = (data.viewer?.accounts?.nodes ?? []).filter(({ venue }) => venue.name === market.venue.name);
  return accounts.length === 0 ? <OpenPaperAccount venue={market.venue} currency={market.quote} onOpened={reload} /> : <OrderForm key={market.symbol} market={market} prices={prices} accounts={accounts} />;
}

const TYPES = ['MARKET', 'LIMIT', 'STOP', 'STOP_LIMIT', 'TAKE_PROFIT', 'TAKE_PROFIT_LIMIT'] as const;
const SIZES: readonly SizedBy[] = ['amount', 'percent', 'risk'];
const FIELDS = ['price', 'stopPrice', 'quantity', 'stopLoss', 'takeProfit'];

function OrderForm({ market, prices, accounts }: { market: Market; prices: Prices; accounts: Account[] }) {
  const t = useText();
  const orderText = useOrderText();
  const { language } = useLanguage();
  const [accountId, setAccountId] = useState(accounts[0]?.id);
  const [side, setSide] = useState<'BUY' | 'SELL'>('BUY');
  const [type, setType] = useState<(typeof TYPES)[number]>('MARKET');
  const [limit, setLimit] = useState('');
  const [trigger, setTrigger] = useState('');
  const [by, setBy] = useState<SizedBy>('amount');
  const [size, setSize] = useState('');
  const [stop, setStop] = useState({ value: '', isPercent: true });
  const [profit, setProfit] = useState({ value: '', isPercent: true });
  const [errors, setErrors] = useState<PayloadError[]>([]);
  const [denials, setDenials] = useState<readonly Denial[]>([]);
  // An order whose outcome isn't known: only the same request may be sent again.
  const [unknown, setUnknown] = useState<OrderInput | null>(null);
  const [place, isPlacing] = useSafeMutation(PlaceOrderDocument, { isIdempotent: true });

  const account = accounts.find(({ id }) => id === accountId) ?? accounts[0];
  const free = (currency: string): Decimal => account?.balances.find(balance => balance.currency === currency)?.free ?? '0';
  const isLimit = type.includes('LIMIT');
  const isTriggered = type !== 'MARKET' && type !== 'LIMIT';
  const best = side === 'BUY' ? prices.ask : prices.bid;
  const given = isLimit ? limit : isTriggered ? trigger : null;
  const price = given === null ? best : isDecimal(given) ? given : null;
  const stopAt = stopPrice(side, price, stop.value, stop.isPercent);
  const freeBase = free(market.base);
  const freeQuote = free(market.quote);
  const sizing = sizeOrder({
    side, by, value: size, price, stop: stopAt, freeBase, freeQuote, equity: account?.currency === market.quote ? account.equity : null,
    takerFeePercent: market.takerFeePercent, quantityIncrement: market.quantityIncrement,
  });
  const quantity = 'quantity' in sizing ? sizing.quantity : null;
  const notional = quantity && price ? multiply(quantity, price) : null;
  // A protection that can't be read must not be left out: the order would go without it.
  const isReadable = [stop.value, profit.value, isLimit ? limit : '', isTriggered ? trigger : ''].every(typed => typed === '' || isDecimal(typed));
  const isGiven = (!isLimit || limit !== '') && (!isTriggered || trigger !== '');
  const levelOf = ({ value, isPercent }: typeof stop) => (isDecimal(value) ? (isPercent ? { percent: value } : { price: value }) : null);
  const order = account && quantity !== null && isReadable ? {
    account: account.id, market: market.symbol, side, type, quantity, price: isLimit ? limit : null, stopPrice: isTriggered ? trigger : null,
    stopLoss: levelOf(stop), takeProfit: levelOf(profit),
  } : null;
  const run = useDryRun(PreviewOrderDocument, order && isGiven ? { input: { ...order, idempotencyKey: 'preview' } } : null);
  const estimate = run.preview?.estimate;
  const fee = estimate?.fee ?? (notional && market.takerFeePercent ? divide(multiply(notional, market.takerFeePercent), '100') : null);

  const send = async (input: OrderInput) => {
    setErrors([]);
    setDenials([]);
    const outcome = await place({ input });
    setUnknown(outcome.kind === 'unknown' ? input : null);
    if (outcome.kind === 'done' && outcome.payload.order) {
      showToast(t('placed', { status: orderText(`status.${outcome.payload.order.status}`) }));
      setSize('');
    }
    if (outcome.kind === 'rejected') {
      const denied = outcome.payload?.order?.denials ?? [];
      setDenials(denied);
      setErrors(denied.length > 0 ? [] : outcome.errors);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (order) void send({ ...order, idempotencyKey: newIdempotencyKey() });
  };
  const shownTypes = TYPES.filter(name => market.venue.orderTypes?.includes(name) ?? (name === 'MARKET' || name === 'LIMIT'));
  const sizeUnit = by === 'percent' ? (side === 'BUY' ? market.quote : market.base) : market.base;

  return (
    <form className="ticket" onSubmit={submit} noValidate>
      <SelectField label={t('account')} name="account" value={account?.id} onChange={event => setAccountId(event.target.value)}>
        {accounts.map(({ id, name, kind }) => <option key={id} value={id}>{name} · {t(`account.${kind}`)}</option>)}
      </SelectField>
      {account?.tradingState === 'HALTED' && <div className="notice error">{t('halted')}</div>}
      <div className="sides" role="group" aria-label={t('side')}>
        {(['BUY', 'SELL'] as const).map(name => <button type="button" key={name} className={`side ${name}`} aria-pressed={side === name} onClick={() => setSide(name)}>{t(name)}</button>)}
      </div>
      <SelectField label={t('type')} name="type" value={type} onChange={event => setType(event.target.value as typeof type)}>
        {shownTypes.map(name => <option key={name} value={name}>{t(`type.${name}`)}</option>)}
      </SelectField>
      {isTriggered && <DecimalField label={t('stopPrice', { currency: market.quote })} name="stopPrice" value={trigger} onValue={setTrigger} errors={errors} />}
      {isLimit && <DecimalField label={t('price', { currency: market.quote })} name="price" value={limit} onValue={setLimit} errors={errors} {...(best && { placeholder: best })} />}
      <div className="tabs" role="group" aria-label={t('by')}>
        {SIZES.map(name => <button type="button" key={name} className="tab" aria-pressed={by === name} onClick={() => { setBy(name); setSize(''); }}>{t(`by.${name}`)}</button>)}
      </div>
      <DecimalField label={t(`size.${by}`, { currency: sizeUnit })} name="quantity" value={size} onValue={setSize} errors={errors}
        hint={t('free', side === 'BUY' ? { amount: formatDecimal(freeQuote, language, { atMost: 2 }), currency: market.quote } : { amount: formatDecimal(freeBase, language), currency: market.base })} />
      <LevelField label={t('stopLoss')} name="stopLoss" given={stop} onGiven={setStop} errors={errors} />
      <LevelField label={t('takeProfit')} name="takeProfit" given={profit} onGiven={setProfit} errors={errors} />
      <dl className="preview" aria-label={t('preview')}>
        <dt>{t('preview.quantity')}</dt><dd><Quantity value={quantity} unit={market.base} /></dd>
        <dt>{t('preview.price')}</dt><dd><Quantity value={estimate?.averagePrice ?? price} unit={market.quote} /></dd>
        <dt>{t('preview.notional')}</dt><dd><Money value={estimate?.worth ?? notional} currency={market.quote} /></dd>
        <dt>{t('preview.fee')}</dt><dd><Money value={fee && big(fee).times(-1).toString()} currency={market.quote} /></dd>
        {stopAt && quantity && price && <><dt>{t('preview.risk')}</dt><dd><Money tone currency={market.quote} value={loss(side, quantity, price, stopAt)} /></dd></>}
      </dl>
      {size !== '' && 'missing' in sizing && <p className="hint warn">{t(`missing.${sizing.missing}`)}</p>}
      <Verdict run={run} />
      <FormErrors errors={errors} fields={FIELDS} />
      {denials.length > 0 && <div className="notice error" role="alert"><strong>{t('denied')}</strong><Denials denials={denials} /></div>}
      {unknown && (
        <div className="notice error" role="alert">
          <p>{t('unknown')}</p><button type="button" className="button small" onClick={() => void send(unknown)}>{t('retry')}</button>
        </div>
      )}
      <button type="submit" className={`button place ${side}`} disabled={isPlacing || quantity === null || sign(quantity) <= 0 || unknown !== null}>{t(`place.${side}`, { base: market.base })}</button>
    </form>
  );
}

/** What is lost at the stop, before fees: a negative amount. */
function loss(side: 'BUY' | 'SELL', quantity: Decimal, entry: Decimal, stop: Decimal): Decimal {
  return multiply(quantity, side === 'BUY' ? subtract(stop, entry) : subtract(entry, stop));
}
