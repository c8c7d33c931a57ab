/** The button and the dialog that set what closes a whole position: stop-loss, take-profit and trailing stop. */
import { useState, type FormEvent } from 'react';
import { isDecimal, subtract, multiply, divide, formatDecimal, type Decimal } from '../format/decimal.ts';
import { useLanguage } from '../i18n/text.tsx';
import { useTickers } from '../screens/markets/useTickers.ts';
import { Dialog } from '../shared/Dialog.tsx';
import { FormErrors, SelectField } from '../shared/form.tsx';
import { showToast } from '../shared/toasts.tsx';
import { Money, Quantity } from '../shared/values.tsx';
import { newIdempotencyKey } from '../transport/idempotency.ts';
import { useKept } from '../transport/kept.ts';
import { useSafeMutation, type PayloadError } from '../transport/useSafeMutation.ts';
import { LevelField } from './LevelField.tsx';
import { inForce, isPassed, levelsOf, outcomeAt, priceOf, setByHand, type Given, type LevelKind } from './levels.ts';
import { ProtectPositionDocument, type ProtectedPositionFragment, type ProtectPositionMutationVariables } from './protection.generated.ts';
import { useText } from './text.ts';

type Position = ProtectedPositionFragment;
type Input = ProtectPositionMutationVariables['input'];
type ProtectAt = NonNullable<Input['protectAt']>;

const PLACES: readonly ProtectAt[] = ['BEST', 'VENUE', 'ENGINE'];
const FIELDS = ['stopLoss', 'takeProfit', 'trailingStop', 'protectAt'];
const EMPTY: Given = { value: '', isPercent: true };

export function ProtectButton({ position }: { position: Position }) {
  const t = useText();
  const [isOpen, setOpen] = useState(false);
  // A strategy protects its own positions.
  if (position.tradingSession) return null;
  return (
    <>
      <button type="button" className="button small" aria-label={t('protectOne', { market: position.market.symbol, account: position.account.name })} onClick={() => setOpen(true)}>{t('protect')}</button>
      <Dialog title={t('title', { market: position.market.symbol })} description={t('help')} isOpen={isOpen} onClose={() => setOpen(false)}>
        <ProtectForm position={position} onClose={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

/** The levels in force as text. */
export function Levels({ position }: { position: Position }) {
  const t = useText();
  const levels = levelsOf(position.protections);
  const reason = inForce(position.protections).find(({ unwatchedReason }) => unwatchedReason !== null)?.unwatchedReason;
  if (levels.length === 0) return <span className="muted">{t('none')}</span>;
  return (
    <>
      <ul className="levels">{levels.map(({ kind, price }, index) => <li key={index}>{t(`level.${kind}`)} <Quantity value={price} atMost={8} /></li>)}</ul>
      {reason && <div className="mistake">{t('unwatched', { reason })}</div>}
    </>
  );
}

function ProtectForm({ position: asRead, onClose }: { position: Position; onClose: () => void }) {
  const t = useText();
  const position = useAtLivePrice(asRead);
  const before = setByHand(position.protections);
  const [stop, setStop] = useState<Given>(before?.stopLossPrice ? { value: before.stopLossPrice, isPercent: false } : EMPTY);
  const [profit, setProfit] = useState<Given>(before?.takeProfitPrice ? { value: before.takeProfitPrice, isPercent: false } : EMPTY);
  const [trail, setTrail] = useState<Given>({ value: before?.trailPercent ?? before?.trailAbsolute ?? '', isPercent: (before?.trailAbsolute ?? null) === null });
  const [protectAt, setProtectAt] = useState<ProtectAt>(before?.protectAt ?? 'BEST');
  const [errors, setErrors] = useState<readonly PayloadError[]>([]);
  const [unknown, keep] = useKept<Input>(`protect ${position.id}`);
  const [protect, isSending] = useSafeMutation(ProtectPositionDocument, { isIdempotent: true });
  const isReadable = [stop, profit, trail].every(({ value }) => value === '' || isDecimal(value));
  const isEmpty = [stop, profit, trail].every(({ value }) => value === '');

  const send = async (input: Input) => {
    setErrors([]);
    const outcome = await protect({ id: position.id, input });
    keep(outcome.kind === 'unknown' ? input : null);
    if (outcome.kind === 'rejected') setErrors(outcome.errors);
    if (outcome.kind === 'done') { showToast(t(isEmpty ? 'removed' : 'done')); onClose(); }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isReadable || unknown) return;
    const level = ({ value, isPercent }: Given) => (value === '' ? null : isPercent ? { percent: value } : { price: value });
    const distance = trail.value === '' ? null : trail.isPercent ? { percent: trail.value } : { absolute: trail.value };
    void send({ stopLoss: level(stop), takeProfit: level(profit), trailingStop: distance, protectAt: isEmpty ? null : protectAt, idempotencyKey: newIdempotencyKey() });
  };
  return (
    <form onSubmit={submit} noValidate>
      <p className="muted">{t('position')} <Quantity value={position.quantity} unit={position.market.base} /> · {t('mean')} <Quantity value={position.averagePrice} unit={position.market.quote} /> · {t('market')} <Quantity value={position.marketPrice} unit={position.market.quote} /></p>
      <LevelField label={t('level.stopLoss')} name="stopLoss" given={stop} onGiven={setStop} errors={errors} disabled={unknown !== null} />
      <LevelField label={t('level.takeProfit')} name="takeProfit" given={profit} onGiven={setProfit} errors={errors} disabled={unknown !== null} />
      <LevelField isDistance label={t('trailing')} name="trailingStop" given={trail} onGiven={setTrail} errors={errors} disabled={unknown !== null} />
      <SelectField label={t('protectAt')} name="protectAt" hint={t(`protectAtHelp.${protectAt}`)} value={protectAt} errors={errors} disabled={unknown !== null} onChange={event => setProtectAt(event.target.value as ProtectAt)}>
        {PLACES.map(place => <option key={place} value={place}>{t(`protectAt.${place}`)}</option>)}
      </SelectField>
      <Outlook position={position} stop={priceOf(stop, position.averagePrice, -1)} profit={priceOf(profit, position.averagePrice, 1)} />
      <FormErrors errors={errors} fields={FIELDS} />
      {unknown && (
        <div className="notice error" role="alert">
          <p>{t('unknown')}</p><button type="button" className="button small" disabled={isSending} onClick={() => void send(unknown)}>{t('askAgain')}</button>
        </div>
      )}
      <div className="row">
        <button type="submit" className="button primary" disabled={isSending || unknown !== null || !isReadable || (isEmpty && before === null)}>{t(isEmpty ? 'remove' : 'set')}</button>
        <button type="button" className="button" onClick={onClose}>{t('close')}</button>
      </div>
    </form>
  );
}

/** The position with the price at which it could be closed now, instead of that when it was read. */
function useAtLivePrice(position: Position): Position {
  const [, setError] = useState('');
  const bid = useTickers([position.market.symbol], setError).tickers.get(position.market.symbol)?.bid;
  return bid ? { ...position, marketPrice: bid } : position;
}

/** What each level would lose or gain, and whether the market has passed it already. */
function Outlook({ position, stop, profit }: { position: Position; stop: Decimal | null; profit: Decimal | null }) {
  const t = useText();
  const rows: { kind: LevelKind; price: Decimal | null; direction: 1 | -1 }[] = [{ kind: 'stopLoss', price: stop, direction: -1 }, { kind: 'takeProfit', price: profit, direction: 1 }];
  return (
    <div role="status" aria-label={t('outlook')}>
      {rows.map(({ kind, price, direction }) => price !== null && (
        <p key={kind} className="hint">
          {t(`level.${kind}`)} <Quantity value={price} atMost={8} unit={position.market.quote} />{' '}
          <Away price={price} market={position.marketPrice} />{' '}
          {position.averagePrice !== null && <Money tone value={outcomeAt(price, position.averagePrice, position.quantity)} currency={position.market.quote} />}
          {isPassed(price, position.marketPrice, direction) && <strong className="mistake"> {t('passed')}</strong>}
        </p>
      ))}
    </div>
  );
}

function Away({ price, market }: { price: Decimal; market: Decimal | null }) {
  const t = useText();
  const { language } = useLanguage();
  if (market === null) return null;
  const percent = multiply(divide(subtract(price, market), market), '100');
  return <span className="muted">{t('away', { percent: formatDecimal(percent, language, { atMost: 2, signed: true }) })}</span>;
}
