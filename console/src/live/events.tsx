/** The viewer's event log, followed once for the whole console: each event comes once, none is missed. */
import { createContext, use, useEffect, useMemo, useRef, type ReactNode } from 'react';
import { useClient } from 'urql';
import { useViewer } from '../auth/viewer.tsx';
import { UserEventsDocument, type UserEventsSubscription } from './events.generated.ts';

export type UserEvent = UserEventsSubscription['events'];
type Listener = (event: UserEvent) => void;

const EventsContext = createContext<Set<Listener> | null>(null);

/** Objects of the cache are brought up to date by each event's `subject`, so what shows them follows by itself. */
export function EventsProvider({ children }: { children: ReactNode }) {
  const client = useClient();
  const { id, eventCursor } = useViewer();
  const start = useRef({ id, cursor: eventCursor });
  if (start.current.id !== id) start.current = { id, cursor: eventCursor };
  const listeners = useMemo(() => new Set<Listener>(), []);
  useEffect(() => {
    const { unsubscribe } = client.subscription(UserEventsDocument, { after: start.current.cursor }).subscribe(({ data }) => {
      if (!data) return;
      start.current.cursor = data.events.cursor;
      listeners.forEach(listener => listener(data.events));
    });
    return unsubscribe;
  }, [client, id, listeners]);
  return <EventsContext value={listeners}>{children}</EventsContext>;
}

/** Calls `onEvent` for each new event of these kinds. */
export function useUserEvents(kinds: readonly UserEvent['kind'][], onEvent: Listener): void {
  const listeners = use(EventsContext);
  const handler = useRef(onEvent);
  useEffect(() => { handler.current = onEvent; });
  const key = kinds.join();
  useEffect(() => {
    if (!listeners) return undefined;
    const wished = new Set(key.split(','));
    const listener: Listener = event => { if (wished.has(event.kind)) handler.current(event); };
    listeners.add(listener);
    return () => { listeners.delete(listener); };
  }, [listeners, key]);
}
