import { errorCode } from '@manypath/core';
import { LabNameTakenError, LabNotPermittedError } from './errors.ts';
import { namespaceExists } from './namespace-files.ts';
import { namespacesOf } from './plan.ts';
import { claim, type LabRecord } from './state.ts';

/** Claims the name, or says that this process may not. */
export function claimOrExplain(record: LabRecord): void {
  if (namespaceExists(namespacesOf(record.name).client)) throw new LabNameTakenError('lab', record.name);
  try {
    claim(record);
  } catch (error) {
    throw explainRefusal(error);
  }
}

/** Makes one clear error of the many ways in which a machine says that this process may not. */
export function explainRefusal(error: unknown): unknown {
  const refused = ['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error) ?? '');
  const said = error instanceof Error ? error.message : '';
  const refusedByTool =
    errorCode(error) === 'MANYPATH_LAB_COMMAND_FAILED' && /not permitted|permission denied/i.test(said);
  if (!refused && !refusedByTool) return error;
  return new LabNotPermittedError('This process may not make network namespaces.', {
    cause: error,
    hint: 'Run it with sudo: namespaces that stay belong to the whole machine.',
  });
}
