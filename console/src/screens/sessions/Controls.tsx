import { useState } from 'react';
import { Dialog } from '../../shared/Dialog.tsx';
import { useErrorText } from '../../shared/errors.ts';
import { CheckField, TextField } from '../../shared/form.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { useSafeMutation, type Outcome } from '../../transport/useSafeMutation.ts';
import { EndHaltDocument, HaltSessionDocument, PauseSessionDocument, ResumeSessionDocument, StopSessionDocument, type SessionDetailFragment } from './sessions.generated.ts';
import { useText } from './text.ts';

/** Pause, resume, stop and halt. What is shown afterwards is what the engine says, not what was asked. */
export function Controls({ session, onChange }: { session: SessionDetailFragment; onChange: () => void }) {
  const t = useText();
  const { ofPayload } = useErrorText();
  const [asking, setAsking] = useState<'stop' | 'halt' | null>(null);
  const [pause, isPausing] = useSafeMutation(PauseSessionDocument);
  const [resume, isResuming] = useSafeMutation(ResumeSessionDocument);
  const [endHalt, isEnding] = useSafeMutation(EndHaltDocument);
  const { id, status } = session;
  const report = (outcome: Outcome<unknown>) => {
    if (outcome.kind === 'rejected') showToast(outcome.errors.map(ofPayload).join(' '), 'error');
    if (outcome.kind === 'unknown') showToast(t('unknown'), 'error');
    onChange();
  };
  const isHalted = session.halts?.some(({ level }) => level === 'TRADING_SESSION') ?? false;
  if (status === 'STOPPED' || status === 'FAILED' || status === 'STOPPING') return null;
  return (
    <>
      {status === 'PAUSED'
        ? <button type="button" className="button" disabled={isResuming} onClick={() => void resume({ id }).then(report)}>{t('resume')}</button>
        : <button type="button" className="button" disabled={isPausing} onClick={() => void pause({ id }).then(report)}>{t('pause')}</button>}
      {isHalted
        ? <button type="button" className="button" disabled={isEnding} onClick={() => void endHalt({ id }).then(report)}>{t('endHalt')}</button>
        : <button type="button" className="button danger" onClick={() => setAsking('halt')}>{t('halt')}</button>}
      <button type="button" className="button danger" onClick={() => setAsking('stop')}>{t('stop')}</button>
      <StopDialog id={id} isOpen={asking === 'stop'} onClose={() => setAsking(null)} onDone={report} />
      <HaltDialog id={id} isOpen={asking === 'halt'} onClose={() => setAsking(null)} onDone={report} />
    </>
  );
}

interface Asking { id: string; isOpen: boolean; onClose: () => void; onDone: (outcome: Outcome<unknown>) => void }

function StopDialog({ id, isOpen, onClose, onDone }: Asking) {
  const t = useText();
  const [closePosition, setClose] = useState(false);
  const [stop, isSending] = useSafeMutation(StopSessionDocument);
  const send = async () => { onDone(await stop({ id, input: { closePosition } })); onClose(); };
  return (
    <Dialog title={t('stop.title')} description={t('stop.help')} isOpen={isOpen} onClose={onClose}>
      <CheckField label={t('stop.close')} checked={closePosition} onChange={event => setClose(event.target.checked)} />
      <div className="row"><button type="button" className="button danger" disabled={isSending} onClick={() => void send()}>{t('stop.do')}</button><button type="button" className="button" onClick={onClose}>{t('cancel')}</button></div>
    </Dialog>
  );
}

function HaltDialog({ id, isOpen, onClose, onDone }: Asking) {
  const t = useText();
  const [cancelOrders, setCancel] = useState(true);
  const [closePositions, setClose] = useState(false);
  const [reason, setReason] = useState('');
  const [halt, isSending] = useSafeMutation(HaltSessionDocument);
  const send = async () => { onDone(await halt({ id, input: { cancelOrders, closePositions, reason: reason.trim() || null } })); onClose(); };
  return (
    <Dialog title={t('halt.title')} description={t('halt.help')} isOpen={isOpen} onClose={onClose}>
      <CheckField label={t('halt.cancel')} checked={cancelOrders} onChange={event => setCancel(event.target.checked)} />
      <CheckField label={t('halt.close')} checked={closePositions} onChange={event => setClose(event.target.checked)} />
      <TextField label={t('halt.reason')} name="reason" value={reason} onChange={event => setReason(event.target.value)} />
      <div className="row"><button type="button" className="button danger" disabled={isSending} onClick={() => void send()}>{t('halt.do')}</button><button type="button" className="button" onClick={onClose}>{t('cancel')}</button></div>
    </Dialog>
  );
}
