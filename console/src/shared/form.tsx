/** Fields with their errors beside them: a payload's errors find their field by the end of their path. */
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from 'react';
import { isDecimal, typedDecimal } from '../format/decimal.ts';
import { useLanguage } from '../i18n/text.tsx';
import type { PayloadError } from '../transport/useSafeMutation.ts';
import { useErrorText } from './errors.ts';
import { useText } from './text.ts';

interface FieldProps { label: string; name: string; hint?: ReactNode; errors?: readonly PayloadError[] | undefined }

const errorsOf = (errors: readonly PayloadError[] | undefined, name: string): PayloadError[] =>
  (errors ?? []).filter(({ path }) => path?.includes(name));

function Described({ id, label, hint, mistakes, children }: { id: string; label: string; hint?: ReactNode; mistakes: PayloadError[]; children: ReactNode }) {
  const { ofPayload } = useErrorText();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint && <div className="hint" id={`${id}-hint`}>{hint}</div>}
      <div id={`${id}-mistake`} role={mistakes.length ? 'alert' : undefined}>
        {mistakes.map(error => <div className="mistake" key={error.message}>{ofPayload(error)}</div>)}
      </div>
    </div>
  );
}

export function TextField({ label, name, hint, errors, ...input }: FieldProps & Omit<InputHTMLAttributes<HTMLInputElement>, 'name'>) {
  const id = useId();
  const mistakes = errorsOf(errors, name);
  return (
    <Described id={id} label={label} hint={hint} mistakes={mistakes}>
      <input className="input" id={id} name={name} aria-invalid={mistakes.length > 0} aria-describedby={`${id}-mistake${hint ? ` ${id}-hint` : ''}`} {...input} />
    </Described>
  );
}

type DecimalFieldProps = FieldProps & { value: string; onValue: (value: string) => void } & Omit<InputHTMLAttributes<HTMLInputElement>, 'name' | 'value' | 'onChange'>;

/** A field for a decimal, which stays the text that was typed: no float, no rounding. What is no number is said at once. */
export function DecimalField({ value, onValue, errors, ...field }: DecimalFieldProps) {
  const t = useText();
  const { language } = useLanguage();
  const mistakes = value === '' || isDecimal(value) ? errors : [{ code: 'NOT_A_NUMBER', message: t('notANumber'), path: [field.name] }];
  return <TextField {...field} errors={mistakes} inputMode="decimal" autoComplete="off" value={value} onChange={event => onValue(typedDecimal(event.target.value, language))} />;
}

export function SelectField({ label, name, hint, errors, children, ...select }: FieldProps & Omit<SelectHTMLAttributes<HTMLSelectElement>, 'name'>) {
  const id = useId();
  const mistakes = errorsOf(errors, name);
  return (
    <Described id={id} label={label} hint={hint} mistakes={mistakes}>
      <select className="input" id={id} name={name} aria-invalid={mistakes.length > 0} aria-describedby={`${id}-mistake`} {...select}>{children}</select>
    </Described>
  );
}

export function CheckField({ label, ...input }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return <label className="check"><input type="checkbox" {...input} /><span>{label}</span></label>;
}

/** The errors that belong to none of the `fields`, above or below a form. */
export function FormErrors({ errors, fields }: { errors: readonly PayloadError[] | undefined; fields: readonly string[] }) {
  const { ofPayload } = useErrorText();
  const rest = (errors ?? []).filter(({ path }) => !fields.some(name => path?.includes(name)));
  if (rest.length === 0) return null;
  return <div className="notice error" role="alert">{rest.map(error => <div key={error.message}>{ofPayload(error)}</div>)}</div>;
}
