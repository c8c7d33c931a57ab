import { useState, type FormEvent } from 'react';
import { Navigate, useNavigate, useSearchParams } from 'react-router';
import { signInWith, useHasExpired } from '../../auth/token.ts';
import { useOptionalViewer } from '../../auth/viewer.tsx';
import { CheckField, FormErrors, TextField } from '../../shared/form.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import { useText as useSharedText } from '../../shared/text.ts';
import { RegisterDocument, SignInDocument } from './sign-in.generated.ts';
import { useText } from './text.ts';
import './sign-in.css';

const FIELDS = ['email', 'password', 'displayName', 'twoFactorCode', 'invitationCode'];

/** Only a path of our own: a link can't lead elsewhere by it. */
const safePath = (from: string | null): string => (from && /^\/(?![/\\])/.test(from) ? from : '/');

export default function SignIn() {
  const t = useText();
  const [parameters] = useSearchParams();
  const [isNew, setNew] = useState(parameters.has('register'));
  const hasExpired = useHasExpired();
  const target = safePath(parameters.get('from'));
  if (useOptionalViewer()) return <Navigate to={target} replace />;
  return (
    <div className="sign-in">
      <title>{`${t(isNew ? 'register' : 'signIn')} · r3edge`}</title>
      <div className="panel">
        <h1>{t(isNew ? 'register' : 'signIn')}</h1>
        <div className="tabs" role="group" aria-label={t('mode')}>
          <button type="button" className="tab" aria-pressed={!isNew} onClick={() => setNew(false)}>{t('signIn')}</button>
          <button type="button" className="tab" aria-pressed={isNew} onClick={() => setNew(true)}>{t('register')}</button>
        </div>
        {hasExpired && <div className="notice warn" role="status">{t('expired')}</div>}
        <SignInForm key={String(isNew)} isNew={isNew} target={target} />
      </div>
    </div>
  );
}

function SignInForm({ isNew, target }: { isNew: boolean; target: string }) {
  const t = useText();
  const shared = useSharedText();
  const navigate = useNavigate();
  const [errors, setErrors] = useState<PayloadError[]>([]);
  const [asksForCode, setAsksForCode] = useState(false);
  const [signIn, isSigningIn] = useSafeMutation(SignInDocument);
  const [register, isRegistering] = useSafeMutation(RegisterDocument);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = (name: string): string | null => String(form.get(name) ?? '').trim() || null;
    const email = given('email') ?? '';
    const password = String(form.get('password') ?? '');
    const outcome = isNew
      ? await register({ input: { email, password, displayName: given('displayName'), invitationCode: given('invitationCode') } })
      : await signIn({ input: { email, password, twoFactorCode: given('twoFactorCode') } });
    if (outcome.kind === 'done' && outcome.payload.token) {
      signInWith(outcome.payload.token, form.has('stay'));
      if (isNew) showToast(t(outcome.payload.user?.role === 'OPERATOR' ? 'operatorWelcome' : 'welcome'));
      void navigate(target, { replace: true });
      return;
    }
    const found = outcome.kind === 'rejected' ? outcome.errors : [{ code: 'network', message: shared('error.network') }];
    if (found.some(({ code }) => code === 'TWO_FACTOR_REQUIRED')) setAsksForCode(true);
    setErrors(found);
  };
  return (
    <form className="stack" onSubmit={event => void submit(event)} noValidate>
      <FormErrors errors={errors} fields={FIELDS} />
      <TextField label={t('email')} name="email" type="email" autoComplete="username" required errors={errors} />
      <TextField label={t('password')} name="password" type="password" required errors={errors}
        autoComplete={isNew ? 'new-password' : 'current-password'} hint={isNew ? t('passwordHint') : undefined} />
      {!isNew && asksForCode && (
        <TextField label={t('code')} name="twoFactorCode" inputMode="numeric" autoComplete="one-time-code" autoFocus hint={t('codeHint')} errors={errors} />
      )}
      {isNew && <TextField label={t('name')} name="displayName" autoComplete="name" errors={errors} />}
      {isNew && <TextField label={t('invitation')} name="invitationCode" autoComplete="off" errors={errors} />}
      <CheckField label={t('stay')} name="stay" />
      <button type="submit" className="button primary" disabled={isSigningIn || isRegistering}>{t(isNew ? 'register' : 'signIn')}</button>
      {isNew && <p className="muted">{t('firstUser')}</p>}
    </form>
  );
}
