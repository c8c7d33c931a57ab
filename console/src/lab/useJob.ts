/** Follows a job by its progress until it has ended; the cache brings all that shows it up to date. */
import { useEffect, useRef } from 'react';
import { useSubscription } from 'urql';
import { JobProgressDocument, type JobStateFragment } from './lab.generated.ts';

export const isOver = (status: JobStateFragment['status']): boolean => !['QUEUED', 'RUNNING'].includes(status);

/** `onEnd` is called when the job ends while it is followed, which is when its result can be asked for. */
export function useJob(job: JobStateFragment | null | undefined, onEnd: () => void): void {
  const handler = useRef(onEnd);
  useEffect(() => { handler.current = onEnd; });
  const isRunning = job !== null && job !== undefined && !isOver(job.status);
  useSubscription({ query: JobProgressDocument, variables: { id: job?.id ?? '' }, pause: !isRunning });
  const wasRunning = useRef(isRunning);
  useEffect(() => {
    if (wasRunning.current && !isRunning) handler.current();
    wasRunning.current = isRunning;
  }, [isRunning]);
}
