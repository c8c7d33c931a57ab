import { useState, type FormEvent } from 'react';
import { FormErrors, TextField } from '../../shared/form.tsx';
import { Panel } from '../../shared/Panel.tsx';
import { Time } from '../../shared/values.tsx';
import { DisableTwoFactorDocument, EnableTwoFactorDocument, SetUpTwoFactorDocument } from './account.generated.ts';
import { Secret } from './Secret.tsx';
import { useText } from './text.ts';
import { useAction } from '../../transport/useAction.ts';

interface Props { enabledAt: string | null | undefined; codesLeft: number | null | undefined; hasPassword: boolean; onChanged: () => void }

/** Turns the second factor on, by a code of the authenticator, and off again. */
export function TwoFactor({ enabledAt, codesLeft, hasPassword, onChanged }: Props) {
  const t = useText();
  const setUp = useAction(SetUpTwoFactorDocument);
  const enable = useAction(EnableTwoFactorDocument);
  const disable = useAction(DisableTwoFactorDocument);
  const [secret, setSecret] = useState<string | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const value = (event: FormEvent<HTMLFormElement>, name: string): string => {
    event.preventDefault();
    return String(new FormData(event.currentTarget).get(name) ?? '');
  };
  const begin = async (event: FormEvent<HTMLFormElement>) => {
    const password = value(event, 'password');
    const made = await setUp.run({ input: { password: password || null } });
    if (made?.secret) setSecret(made.secret);
  };
  const confirm = async (event: FormEvent<HTMLFormElement>) => {
    const done = await enable.run({ input: { code: value(event, 'code') } });
    if (!done) return;
    setSecret(null);
    setCodes(done.recoveryCodes ?? []);
    onChanged();
  };
  const turnOff = async (event: FormEvent<HTMLFormElement>) => {
    if (!await disable.run({ input: { code: value(event, 'code') } })) return;
    setCodes(null);
    onChanged();
  };
  return (
    <Panel title={t('twoFactor')}>
      <div className="body stack">
        {codes && <Secret label={t('recoveryCodes')} value={codes.join('\n')} />}
        {enabledAt ? (
          <form className="stack" onSubmit={event => void turnOff(event)}>
            <p>{t('twoFactor.on')} <Time at={enabledAt} />. {codesLeft !== null && codesLeft !== undefined && t('codesLeft', { count: codesLeft })}</p>
            <FormErrors errors={disable.errors} fields={['code']} />
            <TextField label={t('code')} name="code" inputMode="numeric" autoComplete="one-time-code" required errors={disable.errors} />
            <div><button type="submit" className="button danger" disabled={disable.isSending}>{t('turnOff')}</button></div>
          </form>
        ) : secret ? (
          <form className="stack" onSubmit={event => void confirm(event)}>
            <p>{t('twoFactor.add')}</p>
            <Secret label={t('authenticatorSecret')} value={secret} />
            <FormErrors errors={enable.errors} fields={['code']} />
            <TextField label={t('code')} name="code" inputMode="numeric" autoComplete="one-time-code" required errors={enable.errors} />
            <div><button type="submit" className="button primary" disabled={enable.isSending}>{t('turnOn')}</button></div>
          </form>
        ) : (
          <form className="stack" onSubmit={event => void begin(event)}>
            <p className="muted">{t('twoFactor.off')}</p>
            <FormErrors errors={setUp.errors} fields={['password']} />
            {hasPassword && <TextField label={t('password')} name="password" type="password" autoComplete="current-password" required errors={setUp.errors} />}
            <div><button type="submit" className="button" disabled={setUp.isSending}>{t('setUp')}</button></div>
          </form>
        )}
      </div>
    </Panel>
  );
}
