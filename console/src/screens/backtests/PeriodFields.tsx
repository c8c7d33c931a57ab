import { TextField } from '../../shared/form.tsx';
import type { PayloadError } from '../../transport/useSafeMutation.ts';
import { lastDays, type Period } from './period.ts';
import { useText } from './text.ts';

const PRESETS = [7, 30, 90, 365];

export function PeriodFields({ period, onPeriod, errors }: { period: Period; onPeriod: (period: Period) => void; errors: readonly PayloadError[] }) {
  const t = useText();
  return (
    <fieldset className="stack">
      <legend className="muted">{t('period')}</legend>
      <div className="row">
        {PRESETS.map(days => <button type="button" className="button small" key={days} onClick={() => onPeriod(lastDays(days, Date.now()))}>{t('period.last', { days })}</button>)}
      </div>
      <div className="fields">
        <TextField label={t('period.from')} name="from" type="date" required value={period.from} errors={errors} onChange={event => onPeriod({ ...period, from: event.target.value })} />
        <TextField label={t('period.to')} name="to" type="date" required value={period.to} errors={errors} onChange={event => onPeriod({ ...period, to: event.target.value })} />
      </div>
    </fieldset>
  );
}
