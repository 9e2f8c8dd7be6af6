import { ManypathError } from '@manypath/core';

/** Another process changes files in the same folder, and does not come to an end. */
export class FolderBusyError extends ManypathError {
  constructor(folder: string) {
    super('MANYPATH_FOLDER_BUSY', `another Manypath process keeps ${folder} locked`, {
      hint: 'a Manypath process that is stopped (e.g. by Ctrl-Z) lets go when it goes on or ends',
    });
  }
}
