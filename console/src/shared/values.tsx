/** Decimals and times as they stand in tables and texts. */
import { useEffect, useState } from 'react';
import { formatCompact, formatDecimal, sign, type Decimal, type DecimalOptions } from '../format/decimal.ts';
import { formatTime, utc } from '../format/time.ts';
import { useLanguage } from '../i18n/text.tsx';
import { useOptionalViewer } from '../auth/viewer.tsx';
import { useText } from './text.ts';

type Maybe = Decimal | null | undefined;

function Unknown() {
  const t = useText();
  return <span className="muted" title={t('noValue')}><span aria-hidden="true">–</span><span className="visually-hidden">{t('noValue')}</span></span>;
}

/** A price or a quantity, with all of its digits, or `digits` of them. */
export function Quantity({ value, unit, ...options }: { value: Maybe; unit?: string } & DecimalOptions) {
  const { language } = useLanguage();
  if (value === null || value === undefined) return <Unknown />;
  return <span className="number">{formatDecimal(value, language, options)}{unit && <span className="muted"> {unit}</span>}</span>;
}

/** An amount of money. `tone` colours it, with its sign, as a gain or a loss. */
export function Money({ value, currency, tone = false, digits = 2 }: { value: Maybe; currency?: string; tone?: boolean; digits?: number }) {
  const { language } = useLanguage();
  if (value === null || value === undefined) return <Unknown />;
  const direction = tone ? ['down', '', 'up'][sign(value) + 1] : '';
  return (
    <span className={`number ${direction}`} title={value}>
      {formatDecimal(value, language, { digits, signed: tone })}{currency && <span className="muted"> {currency}</span>}
    </span>
  );
}

/** A change in percent: by its arrow and sign, not by its colour alone. */
export function Change({ percent }: { percent: Maybe }) {
  const { language } = useLanguage();
  if (percent === null || percent === undefined) return <Unknown />;
  const direction = sign(percent);
  return (
    <span className={`number ${['down', 'muted', 'up'][direction + 1]}`}>
      <span aria-hidden="true">{['▼', '■', '▲'][direction + 1]} </span>{formatDecimal(percent, language, { digits: 2, signed: true })}&nbsp;%
    </span>
  );
}

export function Volume({ value, unit }: { value: Maybe; unit?: string }) {
  const { language } = useLanguage();
  if (value === null || value === undefined) return <Unknown />;
  return <span className="number" title={value}>{formatCompact(value, language)}{unit && <span className="muted"> {unit}</span>}</span>;
}

/** A time in the user's zone, with UTC on hover. */
export function Time({ at, style = 'both' }: { at: string | null | undefined; style?: 'time' | 'date' | 'both' }) {
  const { language } = useLanguage();
  const zone = useTimeZone();
  if (!at) return <Unknown />;
  return <time className="number" dateTime={at} title={utc(at)}>{formatTime(at, language, style, zone)}</time>;
}

/** The zone of the profile if the user has set one, else the browser's. */
export function useTimeZone(): string | undefined {
  const zone = useOptionalViewer()?.timeZone;
  return zone && zone !== 'UTC' ? zone : undefined;
}

/** How long ago something was, kept current. */
export function Age({ at }: { at: string | number | null | undefined }) {
  const t = useText();
  const now = useNow(1_000);
  if (at === null || at === undefined) return <Unknown />;
  const seconds = Math.max(0, Math.round((now - new Date(at).getTime()) / 1000));
  const text = seconds < 90 ? t('ago', { seconds })
    : seconds < 5400 ? t('agoMinutes', { minutes: Math.round(seconds / 60) }) : t('agoHours', { hours: Math.round(seconds / 3600) });
  return <time className="number" dateTime={new Date(at).toISOString()} title={utc(at)}>{text}</time>;
}

export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
