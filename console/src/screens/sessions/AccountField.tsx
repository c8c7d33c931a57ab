import { useEffect } from 'react';
import { useQuery } from 'urql';
import { useErrorText } from '../../shared/errors.ts';
import { SelectField } from '../../shared/form.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { useRequestKey } from '../../transport/idempotency.ts';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import { OpenPaperAccountDocument, PaperAccountsDocument } from './sessions.generated.ts';
import { useText } from './text.ts';

const FIRST_BALANCE = '10000';

/** The user's accounts at the market's venue, and a paper account with one click for who has none. */
export function AccountField({ value, onValue, market, errors }: { value: string; onValue: (account: string) => void; market: string; errors: readonly PayloadError[] }) {
  const t = useText();
  const { ofPayload } = useErrorText();
  const [venue = '', pair = ''] = market.split(':');
  const quote = pair.split('/')[1] ?? '';
  const [{ data }, again] = useQuery({ query: PaperAccountsDocument, requestPolicy: 'cache-and-network' });
  const [create, isSending] = useSafeMutation(OpenPaperAccountDocument, { isIdempotent: true });
  const accounts = data?.viewer?.accounts?.nodes ?? [];
  const first = accounts.find(({ kind }) => kind === 'PAPER')?.id;
  useEffect(() => { if (!value && first) onValue(first); }, [value, first, onValue]);
  const { keyOf, settle } = useRequestKey();
  const open = async () => {
    const input = { name: t('paper.name'), kind: 'PAPER' as const, venue, currency: quote, balances: [{ currency: quote, amount: FIRST_BALANCE }] };
    const outcome = await create({ input: { ...input, idempotencyKey: keyOf(input) } });
    if (outcome.kind !== 'unknown') settle();
    if (outcome.kind === 'unknown') return showToast(t('unknown'), 'error');
    if (outcome.kind === 'rejected') return showToast(outcome.errors.map(ofPayload).join(' '), 'error');
    again({ requestPolicy: 'network-only' });
    if (outcome.payload.account) onValue(outcome.payload.account.id);
    return undefined;
  };
  return (
    <div className="fields">
      <SelectField label={t('account')} name="account" value={value} required errors={errors} onChange={event => onValue(event.target.value)}>
        <option value="">{t('account.choose')}</option>
        {accounts.map(({ id, name, kind, currency }) => <option key={id} value={id}>{name} · {t(`kind.${kind}`)} · {currency}</option>)}
      </SelectField>
      <div className="field">
        <span className="label">{t('paper.help')}</span>
        <button type="button" className="button" disabled={isSending || !quote} onClick={() => void open()}>{t('paper.open', { amount: FIRST_BALANCE, currency: quote })}</button>
      </div>
    </div>
  );
}
