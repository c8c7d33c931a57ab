import { DecimalField } from '../shared/form.tsx';
import type { PayloadError } from '../transport/useSafeMutation.ts';
import type { Given } from './levels.ts';
import { useText } from './text.ts';
import './protection.css';

interface Props { label: string; name: string; given: Given; onGiven: (given: Given) => void; errors: readonly PayloadError[]; isDistance?: boolean; disabled?: boolean }

/** A level in percent or as a price; `isDistance` means a difference of prices. */
export function LevelField({ label, name, given, onGiven, errors, isDistance = false, disabled = false }: Props) {
  const t = useText();
  return (
    <div className="level">
      <DecimalField label={label} name={name} value={given.value} onValue={value => onGiven({ ...given, value })} errors={errors} disabled={disabled} />
      <select className="input" aria-label={t('unitOf', { field: label })} value={given.isPercent ? 'percent' : 'price'} disabled={disabled} onChange={event => onGiven({ ...given, isPercent: event.target.value === 'percent' })}>
        <option value="percent">{t('unit.percent')}</option><option value="price">{t(isDistance ? 'unit.distance' : 'unit.price')}</option>
      </select>
    </div>
  );
}
