/** A strategy's editor: a new one, empty, from a template or a file; or a stored one, of which each save makes a version. */
import { useMemo, useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { EMPTY, differences, fileText, toInput, type Draft } from '../../lab/definition.ts';
import { FormErrors, TextField } from '../../shared/form.tsx';
import { Page } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { useRequestKey } from '../../transport/idempotency.ts';
import { useSafeMutation, type PayloadError } from '../../transport/useSafeMutation.ts';
import { DefinitionForm } from './DefinitionForm.tsx';
import { saveFile } from './files.ts';
import { CreateStrategyDocument, IndicatorCatalogueDocument, StrategyDocument, TemplatesDocument, UpdateStrategyDocument, type StoredStrategyFragment as Stored } from './strategies.generated.ts';
import { useText } from './text.ts';
import { useValidation } from './useValidation.ts';
import { Validity } from './Validity.tsx';
import { Versions } from './Versions.tsx';
import '../../lab/lab.css';
import './strategies.css';

export default function StrategyEditor() {
  const { id } = useParams();
  return id === undefined ? <NewStrategy /> : <StoredStrategy key={id} id={id} />;
}

function NewStrategy() {
  const t = useText();
  const template = useSearchParams()[0].get('template');
  const [{ data, error }, again] = useQuery({ query: TemplatesDocument, pause: template === null });
  if (template === null) return <Editor start={{ name: '', description: '', definition: EMPTY }} />;
  if (error) return <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />;
  if (!data) return <Loading />;
  const found = data.strategyTemplates.find(({ name }) => name === template);
  if (!found) return <Page title={t('new')}><EmptyState title={t('template.missing')} action={<Link className="button" to="/strategies">{t('title')}</Link>} /></Page>;
  return <Editor start={{ name: found.title, description: found.description, definition: toInput(found.definition) }} />;
}

function StoredStrategy({ id }: { id: string }) {
  const t = useText();
  const [{ data, error, fetching }, again] = useQuery({ query: StrategyDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  const refresh = () => again({ requestPolicy: 'network-only' });
  if (error && !data?.node) return <ErrorState error={error} onRetry={refresh} />;
  if (!data || (fetching && !data.node)) return <Loading />;
  if (!data.node || !('versions' in data.node)) return <Page title={t('title')}><EmptyState title={t('missing')} action={<Link className="button" to="/strategies">{t('title')}</Link>} /></Page>;
  const stored = data.node;
  return <Editor key={stored.version.id} stored={stored} onSaved={refresh} start={{ name: stored.name, description: stored.description ?? '', definition: toInput(stored.version.definition) }} />;
}

function Editor({ start, stored, onSaved }: { start: Draft; stored?: Stored; onSaved?: () => void }) {
  const t = useText();
  const [draft, setDraft] = useState(start);
  const { validation, failure } = useValidation(draft.definition);
  const [{ data: catalogue }] = useQuery({ query: IndicatorCatalogueDocument });
  const vocabulary = useMemo(() => ({
    indicators: catalogue?.indicators ?? [],
    parameters: (draft.definition.parameters ?? []).map(({ name }) => name),
    parts: (draft.definition.let ?? []).map(({ name }) => name),
  }), [catalogue, draft.definition]);
  const { save, isSaving, errors } = useSave(draft, stored, onSaved);
  const isChanged = !stored || draft.name !== start.name || draft.description !== start.description || differences(start.definition, draft.definition).length > 0;
  return (
    <Page title={stored?.name ?? t('new')} actions={<>
      {stored && <Link className="button" to={`/backtests/new?version=${stored.version.id}`}>{t('backtest')}</Link>}
      {stored && <Link className="button" to={`/sessions/new?version=${stored.version.id}`}>{t('start')}</Link>}
      <button type="button" className="button" onClick={() => saveFile(`${draft.name || 'strategy'}.json`, fileText(draft))}>{t('export')}</button>
      <button type="button" className="button primary" disabled={isSaving || !isChanged} onClick={() => void save()}>{t(stored ? 'saveVersion' : 'save')}</button>
    </>}>
      {stored && <NextSteps isChanged={isChanged} />}
      <FormErrors errors={errors} fields={['name', 'description']} />
      <div className="fields">
        <TextField label={t('name')} name="name" value={draft.name} errors={errors} required onChange={event => setDraft({ ...draft, name: event.target.value })} />
        <TextField label={t('description')} name="description" value={draft.description} errors={errors} onChange={event => setDraft({ ...draft, description: event.target.value })} />
      </div>
      <Validity validation={validation} failure={failure} />
      <DefinitionForm definition={draft.definition} errors={validation?.errors ?? []} vocabulary={vocabulary} onChange={definition => setDraft({ ...draft, definition })} />
      {stored && <Versions versions={stored.versions.nodes} draft={draft.definition} onTake={definition => setDraft({ ...draft, definition: toInput(definition) })} />}
    </Page>
  );
}

function NextSteps({ isChanged }: { isChanged: boolean }) {
  const t = useText();
  return <div className="notice" role="status">{t(isChanged ? 'changed' : 'next')}</div>;
}

function useSave(draft: Draft, stored: Stored | undefined, onSaved?: () => void) {
  const t = useText();
  const navigate = useNavigate();
  const [errors, setErrors] = useState<PayloadError[]>([]);
  const [create, isCreating] = useSafeMutation(CreateStrategyDocument, { isIdempotent: true });
  const [update, isUpdating] = useSafeMutation(UpdateStrategyDocument);
  const { keyOf, settle } = useRequestKey();
  const save = async () => {
    const input = { name: draft.name.trim(), description: draft.description.trim() || null, definition: toInput(draft.definition) };
    const outcome = stored
      ? await update({ id: stored.id, input: { ...input, expectedVersion: stored.version.number } })
      : await create({ input: { ...input, idempotencyKey: keyOf(input) } });
    if (outcome.kind !== 'unknown') settle();
    if (outcome.kind === 'unknown') return showToast(t('unknown'), 'error');
    setErrors(outcome.kind === 'rejected' ? outcome.errors : []);
    if (outcome.kind === 'rejected') return undefined;
    const { strategy } = outcome.payload;
    showToast(t('saved', { number: strategy?.version.number }));
    onSaved?.();
    if (!stored && strategy) await navigate(`/strategies/${strategy.id}`);
    return undefined;
  };
  return { save, isSaving: isCreating || isUpdating, errors };
}
