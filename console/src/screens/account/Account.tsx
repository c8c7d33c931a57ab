import { useMemo, useState, type FormEvent } from 'react';
import { useQuery } from 'urql';
import { FormErrors, SelectField, TextField } from '../../shared/form.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { Quantity, Time } from '../../shared/values.tsx';
import { CreateKeyDocument, MyAccountDocument, RevokeKeyDocument, RevokeSessionDocument, UpdateProfileDocument, type KeyRowFragment, type MyAccountQuery } from './account.generated.ts';
import { Secret } from './Secret.tsx';
import { TwoFactor } from './TwoFactor.tsx';
import { useText } from './text.ts';
import { useAction } from '../../transport/useAction.ts';
import './account.css';

type User = NonNullable<MyAccountQuery['viewer']>;
type Session = NonNullable<User['loginSessions']>[number];
type Usage = NonNullable<User['planUsage']>[number];

/** The user's own settings: profile, second factor, keys, sign-ins and what the plan allows. */
export default function Account() {
  const t = useText();
  const [{ data, error }, again] = useQuery({ query: MyAccountDocument, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  if (error && !data?.viewer) return <ErrorState error={error} onRetry={reload} />;
  if (!data?.viewer) return <Loading />;
  const user = data.viewer;
  return (
    <Page title={t('title')} actions={<span className="muted">{user.email}</span>}>
      <div className="account-parts">
        <Profile key={user.id} user={user} />
        <TwoFactor enabledAt={user.twoFactorEnabledAt} codesLeft={user.recoveryCodesLeft} hasPassword={user.hasPassword !== false} onChanged={reload} />
      </div>
      <Keys keys={user.apiKeys} onChanged={reload} />
      <Sessions sessions={user.loginSessions} onChanged={reload} />
      <Plan name={user.plan.name} usage={user.planUsage} />
    </Page>
  );
}

function Profile({ user }: { user: User }) {
  const t = useText();
  const { run, isSending, errors } = useAction(UpdateProfileDocument);
  const zones = useMemo(() => [...new Set([user.timeZone, 'UTC', ...Intl.supportedValuesOf('timeZone')])], [user.timeZone]);
  const save = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = (name: string): string | null => String(form.get(name) ?? '').trim() || null;
    const saved = await run({ input: { displayName: given('displayName'), timeZone: given('timeZone'), reportCurrency: given('reportCurrency') } });
    if (saved) showToast(t('saved'));
  };
  return (
    <Panel title={t('profile')}>
      <form className="body stack" onSubmit={event => void save(event)}>
        <FormErrors errors={errors} fields={['displayName', 'timeZone', 'reportCurrency']} />
        <TextField label={t('name')} name="displayName" autoComplete="name" defaultValue={user.displayName ?? ''} errors={errors} />
        <SelectField label={t('timeZone')} name="timeZone" defaultValue={user.timeZone} hint={t('timeZoneHint')} errors={errors}>
          {zones.map(zone => <option key={zone}>{zone}</option>)}
        </SelectField>
        <TextField label={t('currency')} name="reportCurrency" defaultValue={user.reportCurrency ?? ''} hint={t('currencyHint')} errors={errors} />
        <div><button type="submit" className="button primary" disabled={isSending}>{t('save')}</button></div>
      </form>
    </Panel>
  );
}

const SCOPES: readonly KeyRowFragment['scopes'][number][] = ['READ', 'TRADE', 'ADMIN'];

function Keys({ keys, onChanged }: { keys: readonly KeyRowFragment[]; onChanged: () => void }) {
  const t = useText();
  const create = useAction(CreateKeyDocument);
  const revoke = useAction(RevokeKeyDocument);
  const [secret, setSecret] = useState<string | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const scope = SCOPES.findIndex(each => each === new FormData(form).get('scopes'));
    const made = await create.run({ input: { name: String(new FormData(form).get('name') ?? ''), scopes: SCOPES.slice(0, scope + 1) } });
    if (!made) return;
    setSecret(made.secret ?? null);
    form.reset();
    onChanged();
  };
  const columns: Column<KeyRowFragment>[] = [
    { id: 'name', header: t('name'), cell: ({ name }) => name },
    { id: 'scopes', header: t('scopes'), cell: ({ scopes }) => scopes.map(scope => t(`scope.${scope}`)).join(', ') },
    { id: 'created', header: t('created'), cell: ({ createdAt }) => <Time at={createdAt} /> },
    { id: 'used', header: t('lastUsed'), cell: ({ lastUsedAt }) => <Time at={lastUsedAt} /> },
    { id: 'expires', header: t('expires'), cell: ({ expiresAt }) => (expiresAt ? <Time at={expiresAt} /> : t('never')) },
    { id: 'revoke', header: <span className="visually-hidden">{t('actions')}</span>, cell: ({ id, name }) => (
      <button type="button" className="button small danger" aria-label={t('revokeOne', { name })} disabled={revoke.isSending}
        onClick={() => void revoke.run({ id }).then(done => { if (done) onChanged(); })}>{t('revoke')}</button>
    ) },
  ];
  return (
    <Panel title={t('keys')}>
      <Table label={t('keys')} columns={columns} rows={keys} rowKey={({ id }) => id} empty={<EmptyState title={t('keys.none')}>{t('keys.noneText')}</EmptyState>} />
      <form className="body stack" onSubmit={event => void submit(event)}>
        <FormErrors errors={[...create.errors, ...revoke.errors]} fields={['name', 'scopes']} />
        {secret && <Secret label={t('keySecret')} value={secret} />}
        <div className="account-form">
          <TextField label={t('keyName')} name="name" required maxLength={100} errors={create.errors} />
          <SelectField label={t('scopes')} name="scopes" defaultValue="READ" errors={create.errors}>
            {SCOPES.map((scope, index) => <option key={scope} value={scope}>{SCOPES.slice(0, index + 1).map(each => t(`scope.${each}`)).join(', ')}</option>)}
          </SelectField>
          <button type="submit" className="button" disabled={create.isSending}>{t('createKey')}</button>
        </div>
      </form>
    </Panel>
  );
}

function Sessions({ sessions, onChanged }: { sessions: readonly Session[] | null | undefined; onChanged: () => void }) {
  const t = useText();
  const { run, isSending, errors } = useAction(RevokeSessionDocument);
  const columns: Column<Session>[] = [
    { id: 'agent', header: t('device'), wrap: true, cell: ({ userAgent, current }) => <>{userAgent ?? t('unknownDevice')} {current && <span className="badge good">{t('thisOne')}</span>}</> },
    { id: 'address', header: t('address'), cell: ({ address }) => address ?? '–' },
    { id: 'since', header: t('since'), cell: ({ createdAt }) => <Time at={createdAt} /> },
    { id: 'seen', header: t('lastSeen'), cell: ({ lastSeenAt }) => <Time at={lastSeenAt} /> },
    { id: 'end', header: <span className="visually-hidden">{t('actions')}</span>, cell: ({ id, current, address }) => !current && (
      <button type="button" className="button small danger" aria-label={t('endOne', { address: address ?? '' })} disabled={isSending}
        onClick={() => void run({ id }).then(done => { if (done) onChanged(); })}>{t('end')}</button>
    ) },
  ];
  return (
    <Panel title={t('sessions')}>
      {errors.length > 0 && <div className="body"><FormErrors errors={errors} fields={[]} /></div>}
      <Table label={t('sessions')} columns={columns} rows={sessions ?? []} rowKey={({ id }) => id} empty={<EmptyState title={t('notKnown')} />} />
    </Panel>
  );
}

function Plan({ name, usage }: { name: string; usage: readonly Usage[] | null | undefined }) {
  const t = useText();
  const columns: Column<Usage>[] = [
    { id: 'what', header: t('entitlement'), cell: ({ entitlement }) => t(`entitlement.${entitlement}`) },
    { id: 'used', header: t('used'), align: 'end', cell: ({ used }) => <Quantity value={used} /> },
    { id: 'limit', header: t('limit'), align: 'end', cell: ({ limit }) => (limit === null || limit === undefined ? t('unlimited') : <Quantity value={limit} />) },
    { id: 'resets', header: t('resets'), cell: ({ resetsAt }) => (resetsAt ? <Time at={resetsAt} /> : '') },
  ];
  return (
    <Panel title={t('plan', { name })}>
      <Table label={t('plan', { name })} columns={columns} rows={usage ?? []} rowKey={({ entitlement }) => entitlement} empty={<EmptyState title={t('notKnown')} />} />
    </Panel>
  );
}
