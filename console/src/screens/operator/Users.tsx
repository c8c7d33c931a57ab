import { useDeferredValue, useState } from 'react';
import { useQuery } from 'urql';
import { Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Quantity, Time } from '../../shared/values.tsx';
import { OperatorUsersDocument, type OperatorUsersQuery } from './operator.generated.ts';
import { useText } from './text.ts';

type User = NonNullable<NonNullable<OperatorUsersQuery['administration']>['users']>['nodes'][number];

/** The users of the engine: who they are and how much they have, never what they trade. */
export function Users() {
  const t = useText();
  const [typed, setTyped] = useState('');
  const [cursors, setCursors] = useState<(string | null)[]>([null]);
  const email = useDeferredValue(typed.trim()) || null;
  const [{ data, error }, again] = useQuery({ query: OperatorUsersDocument, variables: { email, after: cursors.at(-1) ?? null }, requestPolicy: 'cache-and-network' });
  const list = data?.administration?.users;
  const columns: Column<User>[] = [
    { id: 'email', header: t('email'), cell: ({ email: address, displayName }) => <>{address} {displayName && <span className="muted">{displayName}</span>}</> },
    { id: 'role', header: t('role'), cell: ({ role }) => t(`role.${role}`) },
    { id: 'status', header: t('status'), cell: ({ status, tradingState }) => <><span className={`badge ${status === 'ACTIVE' ? '' : 'bad'}`}>{t(`user.${status}`)}</span> {tradingState !== 'ACTIVE' && <span className="badge warn">{t(`state.${tradingState}`)}</span>}</> },
    { id: 'plan', header: t('plan'), cell: ({ plan }) => plan.name },
    { id: 'accounts', header: t('accounts'), align: 'end', cell: ({ counts }) => <Quantity value={counts && String(counts.paperAccounts + counts.liveAccounts)} /> },
    { id: 'orders', header: t('figure.orders'), align: 'end', cell: ({ counts }) => <Quantity value={counts && String(counts.activeOrders)} /> },
    { id: 'positions', header: t('figure.positions'), align: 'end', cell: ({ counts }) => <Quantity value={counts && String(counts.openPositions)} /> },
    { id: 'seen', header: t('seen'), cell: ({ counts }) => <Time at={counts?.lastSeenAt} /> },
    { id: 'since', header: t('registered'), cell: ({ createdAt }) => <Time at={createdAt} style="date" /> },
  ];
  const end = list?.pageInfo.endCursor;
  return (
    <Panel title={t('users')} actions={<input className="input operator-search" type="search" aria-label={t('search')} placeholder={t('search')} value={typed} onChange={event => { setTyped(event.target.value); setCursors([null]); }} />}>
      {error && !list ? <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} /> : !list ? <Loading />
        : <Table label={t('users')} columns={columns} rows={list.nodes} rowKey={({ id }) => id} empty={<EmptyState title={t('users.none')} />} />}
      <p className="body row">
        {cursors.length > 1 && <button type="button" className="button small" onClick={() => setCursors(cursors.slice(0, -1))}>{t('previous')}</button>}
        {list?.pageInfo.hasNextPage && end && <button type="button" className="button small" onClick={() => setCursors([...cursors, end])}>{t('next')}</button>}
      </p>
    </Panel>
  );
}
