import { Percent, text } from '../../lab/Figures.tsx';
import { Panel } from '../../shared/Panel.tsx';
import { EmptyState } from '../../shared/states.tsx';
import { Table } from '../../shared/Table.tsx';
import { Age, Quantity, Time } from '../../shared/values.tsx';
import type { SessionDetailFragment } from './sessions.generated.ts';
import { useText } from './text.ts';

/** How the session differs from a backtest over the same candles. */
export function Drift({ drift, isOver }: { drift: SessionDetailFragment['backtestDrift']; isOver: boolean }) {
  const t = useText();
  if (!drift) return <Panel title={t('drift')}><EmptyState title={t('drift.none')}>{t(isOver ? 'drift.never' : 'drift.noneText')}</EmptyState></Panel>;
  return (
    <Panel title={t('drift')} actions={<span className="muted"><Age at={drift.computedAt} /></span>}>
      <dl className="tiles">
        <div><dt>{t('drift.matched')}</dt><dd>{drift.matched}</dd></div>
        <div><dt>{t('drift.missed')}</dt><dd>{drift.missed}</dd></div>
        <div><dt>{t('drift.extra')}</dt><dd>{drift.extra}</dd></div>
        <div><dt>{t('drift.candles')}</dt><dd>{drift.missingCandles}</dd></div>
        <div><dt>{t('drift.live')}</dt><dd><Percent value={drift.liveProfitPercent} /></dd></div>
        <div><dt>{t('drift.backtest')}</dt><dd><Percent value={drift.backtestProfitPercent} /></dd></div>
        <div><dt>{t('drift.entry')}</dt><dd><Quantity value={text(drift.entryBps)} digits={2} unit="bps" /></dd></div>
        <div><dt>{t('drift.exit')}</dt><dd><Quantity value={text(drift.exitBps)} digits={2} unit="bps" /></dd></div>
      </dl>
      <Table label={t('drift.items')} rows={drift.items} rowKey={({ at, cause, message }) => `${at} ${cause} ${message}`} maxHeight={360} empty={<p className="body muted">{t('drift.same')}</p>} columns={[
        { id: 'at', header: t('signal.at'), cell: ({ at }) => <Time at={at} /> },
        { id: 'message', header: t('why'), wrap: true, cell: ({ message }) => message },
        { id: 'bps', header: t('drift.bps'), align: 'end', cell: ({ priceBps }) => <Quantity value={text(priceBps)} digits={2} /> },
      ]} />
    </Panel>
  );
}
