/**
 * All screens. To add one: a folder here with its component (a default export), its `messages.en.json`, `messages.fr.json`,
 * `text.ts` and `.graphql` documents, a line below, and its name in `shell/messages.*.json`. Each is loaded when it is opened.
 */
import type { ComponentType } from 'react';
import type { ShellKey } from '../shell/text.ts';

export const GROUPS = ['trade', 'automate', 'review', 'manage'] as const;

export interface Screen {
  path: string;
  load: () => Promise<{ default: ComponentType }>;
  /** Who sees it: everybody, who is signed in, or operators. */
  access: 'all' | 'user' | 'operator';
  /** Where it stands in the navigation; without it, it is reached by links. */
  nav?: { group: (typeof GROUPS)[number]; label: ShellKey };
}

export const SCREENS: Screen[] = [
  { path: 'start', load: () => import('./home/Home.tsx'), access: 'user', nav: { group: 'trade', label: 'nav.home' } },
  { path: 'markets', load: () => import('./markets/Markets.tsx'), access: 'all', nav: { group: 'trade', label: 'nav.markets' } },
  { path: 'markets/*', load: () => import('./market/Market.tsx'), access: 'all' },
  { path: 'orders', load: () => import('./orders/Orders.tsx'), access: 'user', nav: { group: 'trade', label: 'nav.orders' } },
  { path: 'orders/:id', load: () => import('./orders/OrderDetail.tsx'), access: 'user' },
  { path: 'portfolio', load: () => import('./portfolio/Portfolio.tsx'), access: 'user', nav: { group: 'review', label: 'nav.portfolio' } },
  { path: 'strategies', load: () => import('./strategies/Strategies.tsx'), access: 'user', nav: { group: 'automate', label: 'nav.strategies' } },
  { path: 'strategies/new', load: () => import('./strategies/StrategyEditor.tsx'), access: 'user' },
  { path: 'strategies/:id', load: () => import('./strategies/StrategyEditor.tsx'), access: 'user' },
  { path: 'backtests', load: () => import('./backtests/Backtests.tsx'), access: 'user', nav: { group: 'automate', label: 'nav.backtests' } },
  { path: 'backtests/new', load: () => import('./backtests/BacktestNew.tsx'), access: 'user' },
  { path: 'backtests/compare', load: () => import('./backtests/BacktestCompare.tsx'), access: 'user' },
  { path: 'backtests/:id', load: () => import('./backtests/BacktestDetail.tsx'), access: 'user' },
  { path: 'sessions', load: () => import('./sessions/Sessions.tsx'), access: 'user', nav: { group: 'automate', label: 'nav.sessions' } },
  { path: 'sessions/new', load: () => import('./sessions/SessionNew.tsx'), access: 'user' },
  { path: 'sessions/:id', load: () => import('./sessions/SessionDetail.tsx'), access: 'user' },
  { path: 'settings', load: () => import('./account/Account.tsx'), access: 'user', nav: { group: 'manage', label: 'nav.settings' } },
  { path: 'operator', load: () => import('./operator/Operator.tsx'), access: 'operator', nav: { group: 'manage', label: 'nav.operator' } },
];
