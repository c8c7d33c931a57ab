/** Why an order is denied or rejected, in the user's language, with the engine's or the venue's own text beside it. */
import { formatDecimal } from '../format/decimal.ts';
import { useLanguage } from '../i18n/text.tsx';
import type { OrderRowFragment } from '../screens/orders/orders.generated.ts';
import { useText } from './text.ts';
import './reasons.css';

export interface Denial { code: OrderRowFragment['denials'][number]['code']; message: string | null; limit?: string | null; actual?: string | null }
type Rejected = Pick<OrderRowFragment, 'rejectCode' | 'rejectReason'>;

export function Denied({ code, message, limit = null, actual = null }: Denial) {
  const t = useText();
  const { language } = useLanguage();
  const shown = (value: string) => formatDecimal(value, language);
  const numbers = limit === null ? null : actual === null ? t('limit', { limit: shown(limit) }) : t('limitActual', { limit: shown(limit), actual: shown(actual) });
  return (
    <>
      {t(`risk.${code}`)}{numbers && <span className="muted"> ({numbers})</span>}
      {message && <span className="reason-text muted" lang="en">{message}</span>}
    </>
  );
}

/** What the venue said is in its own language, whichever that is. */
export function Rejected({ rejectCode, rejectReason }: Rejected) {
  const t = useText();
  return <>{t(`reject.${rejectCode ?? 'UNKNOWN'}`)}{rejectReason && <span className="reason-text muted">{rejectReason}</span>}</>;
}

export function Denials({ denials }: { denials: readonly Denial[] }) {
  return <ul className="reasons">{denials.map(denial => <li key={`${denial.code} ${denial.message}`}><Denied {...denial} /></li>)}</ul>;
}
