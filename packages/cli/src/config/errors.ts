import { errorMessage, fileAdvice, ManypathError } from '@manypath/core';

/** The configuration file cannot be read or written. */
export class ConfigFileError extends ManypathError {
  constructor(doing: 'read' | 'write', file: string, cause: unknown) {
    super('MANYPATH_CONFIG_FILE', `cannot ${doing} the configuration ${file}: ${errorMessage(cause)}`, {
      cause,
      hint:
        fileAdvice(cause, 'name another file with --config FILE') ??
        'name another file with --config FILE; without one ~/.config/manypath/config.json is used, if it is there',
    });
  }
}
