import { lazy } from 'react';
import { createBrowserRouter, Navigate, RouterProvider } from 'react-router';
import { RequireUser, useOptionalViewer, ViewerProvider } from './auth/viewer.tsx';
import { LanguageProvider } from './i18n/text.tsx';
import { SCREENS } from './screens/registry.ts';
import SignIn from './screens/sign-in/SignIn.tsx';
import NotFound from './shell/NotFound.tsx';
import { Shell } from './shell/Shell.tsx';
import { basePath } from './transport/address.ts';
import { TransportProvider } from './transport/TransportProvider.tsx';

const router = createBrowserRouter([
  {
    element: <Shell />,
    children: [
      { index: true, element: <First /> },
      { path: 'sign-in', element: <SignIn /> },
      ...SCREENS.map(({ path, load, access }) => {
        const Screen = lazy(load);
        return { path, element: access === 'all' ? <Screen /> : <RequireUser><Screen /></RequireUser> };
      }),
      { path: '*', element: <NotFound /> },
    ],
  },
], { basename: basePath || '/' });

/** A stranger first sees the markets, a user where he stands. */
function First() {
  return <Navigate to={useOptionalViewer() ? '/start' : '/markets'} replace />;
}

export function App() {
  return (
    <LanguageProvider>
      <TransportProvider>
        <ViewerProvider><RouterProvider router={router} /></ViewerProvider>
      </TransportProvider>
    </LanguageProvider>
  );
}
