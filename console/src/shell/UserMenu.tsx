import { Link } from 'react-router';
import { useClient } from 'urql';
import { forgetToken } from '../auth/token.ts';
import { useOptionalViewer } from '../auth/viewer.tsx';
import { SignOutDocument } from '../auth/viewer.generated.ts';
import { LANGUAGES, useLanguage, type Language } from '../i18n/text.tsx';
import { Menu, MenuItem, MenuLabel } from '../shared/Menu.tsx';
import { setTheme, THEMES, useTheme } from './theme.ts';
import { useText } from './text.ts';

export function UserMenu() {
  const t = useText();
  const viewer = useOptionalViewer();
  const client = useClient();
  const { language, setLanguage } = useLanguage();
  const theme = useTheme();
  const name = viewer ? initials(viewer.displayName ?? viewer.email) : '⋯';
  const signOut = async () => {
    await client.mutation(SignOutDocument, {}).toPromise();
    forgetToken();
  };
  return (
    <>
      {!viewer && <Link className="button primary small" to="/sign-in">{t('signIn')}</Link>}
      <Menu trigger={<button type="button" className="button small" aria-label={`${name}: ${t('menu')}`}>{name}</button>}>
        {viewer && <MenuLabel>{viewer.email}{viewer.role === 'OPERATOR' && ` · ${t('operator')}`}</MenuLabel>}
        <MenuLabel>{t('theme')}</MenuLabel>
        {THEMES.map(choice => <MenuItem key={choice} onSelect={() => setTheme(choice)}>{t(`theme.${choice}`)}<Mark isOn={choice === theme} /></MenuItem>)}
        <MenuLabel>{t('language')}</MenuLabel>
        {(Object.keys(LANGUAGES) as Language[]).map(choice => (
          <MenuItem key={choice} onSelect={() => setLanguage(choice)}><span lang={choice}>{LANGUAGES[choice]}</span><Mark isOn={choice === language} /></MenuItem>
        ))}
        {viewer && <MenuItem onSelect={() => void signOut()}>{t('signOut')}</MenuItem>}
      </Menu>
    </>
  );
}

const Mark = ({ isOn }: { isOn: boolean }) => (isOn ? <span aria-hidden="true">✓</span> : null);

const initials = (name: string): string => name.slice(0, 2).toUpperCase();
