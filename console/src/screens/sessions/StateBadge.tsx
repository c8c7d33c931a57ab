import type { SessionRowFragment } from './sessions.generated.ts';
import { useText } from './text.ts';

const TONES: Record<SessionRowFragment['status'], string> = { STARTING: 'warn', RUNNING: 'good', PAUSED: 'warn', STOPPING: 'warn', STOPPED: '', FAILED: 'bad' };

/** What a session does now, with the halt that keeps it from entering, if there is one. */
export function StateBadge({ session }: { session: Pick<SessionRowFragment, 'status' | 'tradingState'> }) {
  const t = useText();
  const isLive = !['STOPPED', 'FAILED'].includes(session.status);
  return (
    <span className="row">
      <span className={`badge ${TONES[session.status]}`}>{t(`status.${session.status}`)}</span>
      {isLive && session.tradingState !== 'ACTIVE' && <span className="badge bad">{t(`trading.${session.tradingState}`)}</span>}
    </span>
  );
}
