import { Link } from 'react-router';
import { useQuery } from 'urql';
import { useUserEvents } from '../../live/events.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { ErrorState, Loading } from '../../shared/states.tsx';
import { OpenPaperAccount } from '../ticket/OpenPaperAccount.tsx';
import { StartDocument, type StartQuery } from './home.generated.ts';
import { nextStep, stepsOf, type StepName } from './steps.ts';
import { useText } from './text.ts';
import './home.css';

type Market = NonNullable<StartQuery['markets']>['nodes'][number];

/** Where a first visit leads, step by step; who is through it has the rest of the console. */
export default function Home() {
  const t = useText();
  const [{ data, error }, again] = useQuery({ query: StartDocument, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  useUserEvents(['ACCOUNT', 'ORDER', 'TRADING_SESSION', 'JOB'], reload);
  if (error && !data) return <ErrorState error={error} onRetry={reload} />;
  if (!data) return <Loading />;
  const steps = stepsOf(data.viewer);
  const next = nextStep(steps);
  const market = data.markets?.nodes[0];
  const name = data.viewer?.displayName;
  return (
    <Page title={name ? t('greeting', { name }) : t('title')}>
      {data.viewer?.role === 'OPERATOR' && <div className="notice">{t('operator')}</div>}
      <Panel title={next ? t('steps') : t('done')}>
        <ol className="steps">
          {steps.map(step => (
            <li key={step.name} className={step.isDone ? 'is-done' : step.name === next ? 'is-next' : ''} aria-current={step.name === next ? 'step' : undefined}>
              <span className="step-mark" aria-hidden="true">{step.isDone ? '✓' : ''}</span>
              <div className="stack">
                <h3>{t(`step.${step.name}`)}<span className="visually-hidden"> ({t(step.isDone ? 'isDone' : 'isOpen')})</span></h3>
                {step.name === 'account' && next === 'account' && market
                  ? <OpenPaperAccount venue={market.venue} currency={market.quote} onOpened={reload} />
                  : <>
                      <p className="muted">{t(`text.${step.name}`)}</p>
                      <StepLink step={step.name} market={market} isNext={step.name === next} isDone={step.isDone} />
                    </>}
              </div>
            </li>
          ))}
        </ol>
      </Panel>
    </Page>
  );
}

function StepLink({ step, market, isNext, isDone }: { step: StepName; market: Market | undefined; isNext: boolean; isDone: boolean }) {
  const t = useText();
  const to = target(step, market, isDone);
  return to && <Link className={`button small ${isNext ? 'primary' : ''}`} to={to}>{t(`go.${step}`)}</Link>;
}

function target(step: StepName, market: Market | undefined, isDone: boolean): string | null {
  switch (step) {
    case 'register': return isDone ? null : '/sign-in?register&from=/';
    case 'account': return isDone ? '/portfolio' : null;
    case 'market': case 'order': return market ? `/markets/${market.symbol}` : '/markets';
    case 'strategy': return '/strategies';
    case 'backtest': return '/backtests';
    case 'session': return '/sessions';
  }
}
