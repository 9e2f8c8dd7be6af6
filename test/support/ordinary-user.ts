/** An ordinary user: nobody. */
export const ordinaryUser = 65_534;

/**
 * A command as an ordinary user without any rights.
 *
 * @param home A folder that user can write.
 * @param helper Where the privileged helper listens.
 */
export function asOrdinaryUser(command: readonly string[], home: string, helper: string): string[] {
  const id = String(ordinaryUser);
  const nobody = ['--reuid', id, '--regid', id, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
  return ['setpriv', ...nobody, 'env', `HOME=${home}`, `MANYPATH_HELPER=${helper}`, ...command];
}
