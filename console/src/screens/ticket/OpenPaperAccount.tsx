import { useRef, useState } from 'react';
import { FormErrors } from '../../shared/form.tsx';
import { EmptyState } from '../../shared/states.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { newIdempotencyKey } from '../../transport/idempotency.ts';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import { CreatePaperAccountDocument } from './ticket.generated.ts';
import { useText } from './text.ts';

const PAPER_BALANCE = '10000';

/** Says that the user has no account at a venue, and opens one of play money with one click. */
export function OpenPaperAccount({ venue, currency, onOpened }: { venue: { name: string; accountKinds: readonly string[] }; currency: string; onOpened: () => void }) {
  const t = useText();
  const key = useRef(newIdempotencyKey());
  const [create, isCreating] = useSafeMutation(CreatePaperAccountDocument, { isIdempotent: true });
  const [errors, setErrors] = useState<PayloadError[]>([]);
  const canPaper = venue.accountKinds.includes('PAPER');
  const open = async () => {
    const balances = [{ currency, amount: PAPER_BALANCE }];
    const outcome = await create({ input: { name: t('accountName'), kind: 'PAPER', venue: venue.name, balances, idempotencyKey: key.current } });
    if (outcome.kind === 'done') { showToast(t('accountOpened')); onOpened(); }
    else setErrors(outcome.kind === 'rejected' ? outcome.errors : [{ code: 'unknown', message: outcome.message }]);
  };
  return (
    <EmptyState title={t('noAccount', { venue: venue.name })}
      action={canPaper && <button type="button" className="button primary" disabled={isCreating} onClick={() => void open()}>{t('noAccount.action', { currency })}</button>}>
      {t(canPaper ? 'noAccount.text' : 'noAccount.none')}
      <FormErrors errors={errors} fields={[]} />
    </EmptyState>
  );
}
