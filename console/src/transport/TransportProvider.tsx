import { createContext, useContext, useEffect, useMemo, type ReactNode } from 'react';
import { Provider } from 'urql';
import { expireSession, useToken } from '../auth/token.ts';
import { createTransport, type Transport } from './client.ts';

const TransportContext = createContext<Transport | null>(null);

/** Gives each signed-in user a client and a cache of their own: nothing of one is left for the next. */
export function TransportProvider({ children }: { children: ReactNode }) {
  const token = useToken();
  const transport = useMemo(() => createTransport(token, () => expireSession(token)), [token]);
  useEffect(() => () => { void transport.socket.dispose(); }, [transport]);
  return (
    <TransportContext value={transport}>
      <Provider value={transport.client} key={token}>{children}</Provider>
    </TransportContext>
  );
}

export function useTransport(): Transport {
  const transport = useContext(TransportContext);
  if (transport === null) throw new Error('useTransport outside of TransportProvider');
  return transport;
}
