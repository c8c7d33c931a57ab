/** The state of the WebSocket, for all who show it. */
import { useSyncExternalStore } from 'react';

export interface ConnectionState {
  status: 'idle' | 'connecting' | 'open' | 'lost';
  /** The time of a ping and its pong, or null until one was measured. */
  latencyMs: number | null;
  /** When the status began. */
  since: number;
}

let state: ConnectionState = { status: 'idle', latencyMs: null, since: Date.now() };
const listeners = new Set<() => void>();

export const getConnection = (): ConnectionState => state;

export function setConnection(change: Partial<Omit<ConnectionState, 'since'>>): void {
  const isNew = change.status !== undefined && change.status !== state.status;
  state = { ...state, ...change, since: isNew ? Date.now() : state.since };
  listeners.forEach(listener => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useConnection = (): ConnectionState => useSyncExternalStore(subscribe, getConnection);
