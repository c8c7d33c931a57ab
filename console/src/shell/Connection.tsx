import { useConnection } from '../transport/connection.ts';
import { useText } from './text.ts';
import { formatTime, utc } from '../format/time.ts';
import { useLanguage } from '../i18n/text.tsx';
import { useTimeZone } from '../shared/values.tsx';

/** Whether data come live, and how long a message takes: always in view. */
export function Connection() {
  const t = useText();
  const { status, latencyMs, since } = useConnection();
  const latency = latencyMs === null ? '' : t('connection.latency', { milliseconds: Math.max(1, Math.round(latencyMs)) });
  return (
    <span className="connection" role="status" aria-label={t('connection')} title={`${t(`connection.${status}`)} · ${utc(since)}`}>
      <span className={`dot ${status}`} aria-hidden="true" />
      <span>{t(`connection.${status}`)}</span>
      <span className="words number" aria-hidden="true">{latency}</span>
    </span>
  );
}

export function LostConnection() {
  const t = useText();
  const { language } = useLanguage();
  const zone = useTimeZone();
  const { status, since } = useConnection();
  if (status !== 'lost') return null;
  return <div className="banner error" role="alert">{t('connection.lostNotice', { time: formatTime(since, language, 'time', zone) })}</div>;
}
