/** Asks the engine whether a definition is valid, shortly after it was changed; an answer to an older one is dropped. */
import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import type { Definition } from '../../lab/definition.ts';
import { toInput } from '../../lab/definition.ts';
import { ValidateDocument, type ValidateQuery } from './strategies.generated.ts';

export type Validation = ValidateQuery['strategyValidate'];
export type DefinitionError = Validation['errors'][number];

const PAUSE_MS = 250;

/** Null while the engine has not yet answered for this very definition. */
export function useValidation(definition: Definition): { validation: Validation | null; failure: string | null } {
  const client = useClient();
  const key = JSON.stringify(toInput(definition));
  const [answer, setAnswer] = useState<{ key: string; validation: Validation | null; failure: string | null }>();
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      const variables = { definition: JSON.parse(key) as Definition };
      void client.query(ValidateDocument, variables, { requestPolicy: 'network-only' }).toPromise().then(({ data, error }) => {
        if (isCurrent) setAnswer({ key, validation: data?.strategyValidate ?? null, failure: error?.message ?? null });
      });
    }, PAUSE_MS);
    return () => { isCurrent = false; clearTimeout(timer); };
  }, [client, key]);
  return answer?.key === key ? answer : { validation: null, failure: null };
}

/** The errors of one field, such as `['let', '0', 'expression']`, or of what it holds. */
export const errorsAt = (errors: readonly DefinitionError[], ...path: string[]): DefinitionError[] =>
  errors.filter(each => path.every((part, index) => each.path?.[index] === part));
