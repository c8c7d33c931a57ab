import { Suspense, useEffect, useRef, useState } from 'react';
import { Link, NavLink, Outlet, useLocation } from 'react-router';
import { useEngine, useOptionalViewer } from '../auth/viewer.tsx';
import { EventsProvider } from '../live/events.tsx';
import { Loading, CrashBoundary } from '../shared/states.tsx';
import { Toasts } from '../shared/toasts.tsx';
import { baseUrl } from '../transport/address.ts';
import { SCREENS, GROUPS } from '../screens/registry.ts';
import { Connection, LostConnection } from './Connection.tsx';
import { UserMenu } from './UserMenu.tsx';
import { useText } from './text.ts';
import './shell.css';

export function Shell() {
  const t = useText();
  const viewer = useOptionalViewer();
  const { pathname } = useLocation();
  const [isOpen, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    setOpen(false);
    if (isFirst.current) isFirst.current = false;
    else { main.current?.focus(); window.scrollTo(0, 0); }
  }, [pathname]);
  const content = (
    <CrashBoundary key={pathname}><Suspense fallback={<Loading />}><Outlet /></Suspense></CrashBoundary>
  );
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={event => { event.preventDefault(); main.current?.focus(); }}>{t('skip')}</a>
      <header className="bar">
        <button type="button" className="button small nav-toggle" aria-expanded={isOpen} aria-controls="nav" aria-label={t('openNavigation')} onClick={() => setOpen(!isOpen)}>☰</button>
        <Link className="brand" to="/markets"><img src={new URL('favicon.svg', baseUrl).href} alt="" />r3edge</Link>
        <span className="fill" />
        <Connection />
        <UserMenu />
      </header>
      <Navigation isOpen={isOpen} isSignedIn={viewer !== null} isOperator={viewer?.role === 'OPERATOR'} />
      <main className="main" id="main" tabIndex={-1} ref={main}>
        <LostConnection />
        <TradingNotice />
        {viewer ? <EventsProvider>{content}</EventsProvider> : content}
      </main>
      <Toasts />
    </div>
  );
}

function Navigation({ isOpen, isSignedIn, isOperator }: { isOpen: boolean; isSignedIn: boolean; isOperator: boolean }) {
  const t = useText();
  const engine = useEngine();
  const shown = SCREENS.filter(({ nav, access }) => nav && (access === 'all' || (isSignedIn && (access !== 'operator' || isOperator))));
  return (
    <nav className={`nav ${isOpen ? 'open' : ''}`} id="nav" aria-label={t('navigation')}>
      {GROUPS.map(group => {
        const screens = shown.filter(({ nav }) => nav?.group === group);
        return screens.length > 0 && [
          <div className="group" key={group}>{t(`nav.${group}`)}</div>,
          ...screens.map(({ path, nav }) => nav && <NavLink key={path} to={`/${path}`}>{t(nav.label)}</NavLink>),
        ];
      })}
      <footer>
        {engine && <span>{t('engine', { version: engine.version })}</span>}
        <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">{t('credits')}</a>
        <a href={new URL('LICENSES.txt', baseUrl).href}>{t('licences')}</a>
      </footer>
    </nav>
  );
}

function TradingNotice() {
  const t = useText();
  const states = [useEngine()?.tradingState, useOptionalViewer()?.tradingState];
  if (states.includes('HALTED')) return <div className="banner error" role="status">{t('halted')}</div>;
  if (states.includes('REDUCING')) return <div className="banner" role="status">{t('reducing')}</div>;
  return null;
}
