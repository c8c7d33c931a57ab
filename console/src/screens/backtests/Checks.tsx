import { Percent, text } from '../../lab/Figures.tsx';
import { Panel } from '../../shared/Panel.tsx';
import { Table } from '../../shared/Table.tsx';
import { Quantity, Time } from '../../shared/values.tsx';
import type { BacktestDetailFragment } from './backtests.generated.ts';
import { useText } from './text.ts';

/** What the bias checks found. */
export function Checks({ checks: { lookAhead, warmUp, monteCarlo } }: { checks: NonNullable<BacktestDetailFragment['checks']> }) {
  const t = useText();
  return (
    <Panel title={t('checks')}>
      <div className="body stack">
        <p>{t(lookAhead.different.length === 0 ? 'checks.noLookAhead' : 'checks.lookAhead', { runs: lookAhead.runs })} {lookAhead.different.slice(0, 10).map(at => <Time key={at} at={at} />)}</p>
        {monteCarlo ? (
          <p>
            {t('checks.luck', { runs: monteCarlo.runs })} {t('drawdown')} <Percent value={monteCarlo.drawdown.low} /> – <Percent value={monteCarlo.drawdown.high} />; {t('checks.loss')} <Percent value={monteCarlo.lossPercent} />
          </p>
        ) : <p className="muted">{t('checks.few')}</p>}
      </div>
      <Table label={t('checks.warmUp')} rows={warmUp} rowKey={each => each.function} columns={[
        { id: 'function', header: t('checks.function'), cell: each => <code>{each.function}</code> },
        { id: 'candles', header: t('checks.candles'), align: 'end', cell: ({ candles }) => candles },
        { id: 'deviation', header: t('checks.deviation'), align: 'end', cell: ({ deviation }) => <Quantity value={text(deviation)} /> },
      ]} />
    </Panel>
  );
}
