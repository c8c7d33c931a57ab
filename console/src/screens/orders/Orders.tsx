import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { useUserEvents } from '../../live/events.tsx';
import { Page } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { OrdersDocument, type OrderRowFragment } from './orders.generated.ts';
import { OrderTable } from './OrderTable.tsx';
import { useText } from './text.ts';
import './orders.css';

const FILTERS = ['all', 'active', 'ended'] as const;
type Filter = (typeof FILTERS)[number];
const ACTIVE: OrderRowFragment['status'][] = ['PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL'];
const ENDED: OrderRowFragment['status'][] = ['FILLED', 'CANCELED', 'DENIED', 'REJECTED', 'EXPIRED'];
const STATUSES = { all: null, active: ACTIVE, ended: ENDED };
const PAGE = 50;
const MOST = 100;

export default function Orders() {
  const t = useText();
  const [parameters, setParameters] = useSearchParams();
  const filter: Filter = FILTERS.find(name => name === parameters.get('show')) ?? 'all';
  const [before, setBefore] = useState<string[]>([]);
  return (
    <Page title={t('title')} actions={(
      <div className="tabs" role="group" aria-label={t('filter')}>
        {FILTERS.map(name => <button type="button" className="tab" key={name} aria-pressed={name === filter} onClick={() => { setBefore([]); setParameters({ show: name }); }}>{t(`filter.${name}`)}</button>)}
      </div>
    )}>
      <div className="panel">
        <OrderPage filter={filter} after={null} isLast={before.length === 0} onMore={cursor => setBefore([cursor])} />
        {before.map((cursor, index) => <OrderPage key={cursor} filter={filter} after={cursor} isLast={index === before.length - 1} onMore={next => setBefore([...before, next])} />)}
      </div>
    </Page>
  );
}

/** A page of the list. The first one has what is new; an order that changes is brought up to date on whichever page it is. */
function OrderPage({ filter, after, isLast, onMore }: { filter: Filter; after: string | null; isLast: boolean; onMore: (cursor: string) => void }) {
  const t = useText();
  const variables = { first: after === null ? PAGE : MOST, after, status: STATUSES[filter] };
  const [{ data, error, fetching }, again] = useQuery({ query: OrdersDocument, variables, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  const list = data?.viewer?.orders;
  useUserEvents(['ORDER', 'FILL'], ({ subject }) => {
    if (filter !== 'all' || !list?.nodes.some(({ id }) => id === subject?.id)) reload();
  });
  if (error && !list) return <ErrorState error={error} onRetry={reload} />;
  if (!list) return fetching ? <Loading /> : null;
  const cursor = list.pageInfo.endCursor;
  return (
    <>
      <OrderTable orders={list.nodes} label={t('title')} empty={<EmptyState title={t('none.title')} action={<Link className="button" to="/markets">{t('none.action')}</Link>}>{t('none.text')}</EmptyState>} />
      {isLast && list.pageInfo.hasNextPage && cursor && <p className="orders-more"><button type="button" className="button" onClick={() => onMore(cursor)}>{t('more')}</button></p>}
    </>
  );
}
