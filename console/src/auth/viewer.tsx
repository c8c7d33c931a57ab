import { createContext, use, useEffect, type ReactNode } from 'react';
import { useQuery } from 'urql';
import { Navigate, useLocation } from 'react-router';
import { expireSession, useToken } from './token.ts';
import { ShellDocument, type ShellQuery } from './viewer.generated.ts';
import { ErrorState, Loading } from '../shared/states.tsx';

export type Viewer = NonNullable<ShellQuery['viewer']>;
interface Known { viewer: Viewer | null; engine: ShellQuery['engine'] | null }

const ViewerContext = createContext<Known>({ viewer: null, engine: null });

/** Loads who is signed in, once for the whole console. */
export function ViewerProvider({ children }: { children: ReactNode }) {
  const token = useToken();
  const [{ data, error, fetching }, again] = useQuery({ query: ShellDocument, requestPolicy: 'cache-and-network' });
  const isStranger = token !== null && data !== undefined && data.viewer === null;
  useEffect(() => { if (isStranger) expireSession(token); }, [isStranger, token]);
  if (data === undefined && fetching) return <Loading />;
  if (data === undefined && error) return <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />;
  return <ViewerContext value={{ viewer: data?.viewer ?? null, engine: data?.engine ?? null }}>{children}</ViewerContext>;
}

/** Who is signed in, or null for a stranger. */
export const useOptionalViewer = (): Viewer | null => use(ViewerContext).viewer;
export const useEngine = (): ShellQuery['engine'] | null => use(ViewerContext).engine;

/** Who is signed in; for screens below `RequireUser`. */
export function useViewer(): Viewer {
  const viewer = useOptionalViewer();
  if (viewer === null) throw new Error('useViewer outside of RequireUser');
  return viewer;
}

/** Shows its children to users, and leads strangers to the sign-in, from which they come back here. */
export function RequireUser({ children }: { children: ReactNode }) {
  const viewer = useOptionalViewer();
  const { pathname, search } = useLocation();
  return viewer ? children : <Navigate to={`/sign-in?from=${encodeURIComponent(pathname + search)}`} replace />;
}
