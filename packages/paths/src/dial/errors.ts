import { ManypathError } from '@manypath/core';

/** No path may be used: each one is set to `never`, or a rule names paths that are not there (`MANYPATH_NO_PATH`). */
export class NoPathError extends ManypathError {
  constructor(target: string) {
    super('MANYPATH_NO_PATH', `No path may be used for ${target}`, {
      hint: 'See `manypath paths`: set one that is up to another tier than never, or change the rule for this host.',
    });
  }
}
