/** The button and the dialog that change an order's quantity, prices or trailing distance. */
import { useState, type FormEvent } from 'react';
import { compare, isDecimal, type Decimal } from '../../format/decimal.ts';
import { PreviewAmendmentDocument } from '../../preview/preview.generated.ts';
import { useDryRun } from '../../preview/useDryRun.ts';
import { Verdict } from '../../preview/Verdict.tsx';
import { Denials, type Denial } from '../../reasons/Reasons.tsx';
import { Dialog } from '../../shared/Dialog.tsx';
import { DecimalField, FormErrors } from '../../shared/form.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { Money, Quantity } from '../../shared/values.tsx';
import { newIdempotencyKey } from '../../transport/idempotency.ts';
import { useKept } from '../../transport/kept.ts';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import { changesOf, isAmendable, type AmendableOrder, type Typed } from './amendment.ts';
import { AmendOrderDocument, type AmendOrderMutationVariables, type OrderRowFragment } from './orders.generated.ts';
import { useText } from './text.ts';

type Input = AmendOrderMutationVariables['input'];

export function AmendButton({ order }: { order: OrderRowFragment }) {
  const t = useText();
  const [isOpen, setOpen] = useState(false);
  if (!isAmendable(order)) return null;
  const name = { side: t(`side.${order.side}`), quantity: order.quantity, base: order.market.base };
  return (
    <>
      <button type="button" className="button small" aria-label={t('amendOne', name)} onClick={() => setOpen(true)}>{t('amend')}</button>
      <Dialog title={t('amendOne', name)} description={t('amend.help')} isOpen={isOpen} onClose={() => setOpen(false)}>
        <AmendForm order={order} onClose={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

const FIELDS = ['quantity', 'price', 'stopPrice', 'trailing'];

function AmendForm({ order, onClose }: { order: AmendableOrder & OrderRowFragment; onClose: () => void }) {
  const t = useText();
  const { base, quote } = order.market;
  const [typed, setTyped] = useState<Typed>({ quantity: order.quantity, price: order.price ?? '', stopPrice: order.stopPrice ?? '', trailing: order.trailPercent ?? order.trailAbsolute ?? '' });
  const [errors, setErrors] = useState<readonly PayloadError[]>([]);
  const [denials, setDenials] = useState<readonly Denial[]>([]);
  const [unknown, keep] = useKept<Input>(`amend ${order.id}`);
  const [amend, isSending] = useSafeMutation(AmendOrderDocument, { isIdempotent: true });
  const changes = changesOf(order, typed);
  const run = useDryRun(PreviewAmendmentDocument, changes && !unknown ? { id: order.id, input: { ...changes, idempotencyKey: 'preview' } } : null);
  const isTrailing = order.type === 'TRAILING_STOP';

  const send = async (input: Input) => {
    setErrors([]);
    setDenials([]);
    const outcome = await amend({ id: order.id, input });
    keep(outcome.kind === 'unknown' ? input : null);
    if (outcome.kind === 'done') {
      if (outcome.payload.order) showToast(t('amended', { status: t(`status.${outcome.payload.order.status}`) }));
      onClose();
    }
    if (outcome.kind === 'rejected') {
      const denied = outcome.payload?.order?.denials ?? [];
      setDenials(denied);
      setErrors(denied.length > 0 ? [] : outcome.errors);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (changes && !unknown) void send({ ...changes, idempotencyKey: newIdempotencyKey() });
  };
  const field = (name: keyof Typed, label: string, hint?: React.ReactNode) => (
    <DecimalField label={label} name={name} value={typed[name]} onValue={value => setTyped(known => ({ ...known, [name]: value }))} errors={errors} disabled={unknown !== null} hint={hint} />
  );
  return (
    <form onSubmit={submit} noValidate>
      {field('quantity', t('amend.quantity', { base }), isMore(order.filledQuantity) && t('amend.filled', { filled: order.filledQuantity }))}
      {order.price !== null && field('price', t('amend.price', { quote }))}
      {order.stopPrice !== null && !isTrailing && field('stopPrice', t('amend.stopPrice', { quote }))}
      {isTrailing && field('trailing', order.trailPercent !== null ? t('amend.trailPercent') : t('amend.trailAbsolute', { quote }))}
      {run.preview?.estimate && (
        <dl className="preview">
          <dt>{t('amend.worth')}</dt><dd><Money value={run.preview.estimate.worth} currency={quote} /></dd>
          <dt>{t('amend.required')}</dt><dd><Quantity value={run.preview.estimate.required} unit={run.preview.estimate.currency} atMost={8} /></dd>
          <dt>{t('amend.available')}</dt><dd><Quantity value={run.preview.estimate.available} unit={run.preview.estimate.currency} atMost={8} /></dd>
        </dl>
      )}
      <Verdict run={run} />
      <FormErrors errors={errors} fields={FIELDS} />
      {denials.length > 0 && <div className="notice error" role="alert"><strong>{t('amend.denied')}</strong><Denials denials={denials} /></div>}
      {unknown && (
        <div className="notice error" role="alert">
          <p>{t('amend.unknown')}</p><button type="button" className="button small" disabled={isSending} onClick={() => void send(unknown)}>{t('amend.askAgain')}</button>
        </div>
      )}
      <div className="row">
        <button type="submit" className="button primary" disabled={isSending || unknown !== null || changes === null}>{t('amend.do')}</button>
        <button type="button" className="button" onClick={onClose}>{t('amend.close')}</button>
      </div>
    </form>
  );
}

const isMore = (filled: Decimal): boolean => isDecimal(filled) && compare(filled, '0') > 0;
