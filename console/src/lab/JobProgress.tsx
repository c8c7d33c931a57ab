import { showToast } from '../shared/toasts.tsx';
import { useErrorText } from '../shared/errors.ts';
import { useSafeMutation } from '../transport/useSafeMutation.ts';
import { JobCancelDocument, type JobStateFragment } from './lab.generated.ts';
import { useText } from './text.ts';
import { isOver } from './useJob.ts';

const TONES: Record<JobStateFragment['status'], string> = { QUEUED: '', RUNNING: 'warn', SUCCEEDED: 'good', FAILED: 'bad', CANCELED: '' };

export function JobBadge({ job }: { job: Pick<JobStateFragment, 'status' | 'progress'> }) {
  const t = useText();
  const percent = job.status === 'RUNNING' ? ` ${Math.floor(job.progress * 100)} %` : '';
  return <span className={`badge ${TONES[job.status]}`}>{t(`job.${job.status}`)}{percent}</span>;
}

/** How far a job is, why it failed if it did, and a button to cancel it. */
export function JobProgress({ job }: { job: JobStateFragment }) {
  const t = useText();
  const { ofPayload } = useErrorText();
  const [cancel, isCanceling] = useSafeMutation(JobCancelDocument);
  const send = async () => {
    const outcome = await cancel({ id: job.id });
    if (outcome.kind === 'rejected') showToast(outcome.errors.map(ofPayload).join(' '), 'error');
    if (outcome.kind === 'unknown') showToast(t('unknown'), 'error');
  };
  if (job.status === 'FAILED') return <div className="notice error" role="alert"><strong>{t('job.FAILED')}</strong> {job.message}</div>;
  if (isOver(job.status)) return job.status === 'CANCELED' ? <div className="notice warn">{t('job.CANCELED')}</div> : null;
  return (
    <div className="notice job" role="status">
      <span>{t(`job.${job.status}`)} {job.message}</span>
      <progress aria-label={t('job.progress')} max={1} value={job.progress} />
      <button type="button" className="button small" disabled={isCanceling} onClick={() => void send()}>{t('job.cancel')}</button>
    </div>
  );
}
