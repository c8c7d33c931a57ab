import type { Validation } from './useValidation.ts';
import { useText } from './text.ts';

/** Whether the engine would take the definition, and how many candles it needs before it can decide. */
export function Validity({ validation, failure }: { validation: Validation | null; failure: string | null }) {
  const t = useText();
  if (failure) return <div className="notice error" role="status">{t('validity.failed', { message: failure })}</div>;
  if (!validation) return <div className="notice muted" role="status">{t('validity.checking')}</div>;
  if (!validation.valid) return <div className="notice error" role="status">{t('validity.errors', { count: validation.errors.length })}</div>;
  const longest = [...validation.warmUps].sort((a, b) => b.candles - a.candles).slice(0, 3);
  return (
    <div className="notice" role="status">
      {t('validity.valid', { lookback: validation.lookback })}
      {longest.length > 0 && <span className="muted"> {t('validity.warmUps')} {longest.map(each => `${each.function}: ${each.candles}`).join(', ')}.</span>}
    </div>
  );
}
