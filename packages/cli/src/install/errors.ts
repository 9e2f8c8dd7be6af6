import { errorCode, errorMessage, ManypathError } from '@manypath/core';

/** A file or folder of the installation cannot be read, written or removed. */
export class InstallFileError extends ManypathError {
  constructor(action: 'read' | 'write' | 'remove', path: string, cause: unknown) {
    const refused = ['EACCES', 'EPERM', 'EROFS'].includes(errorCode(cause) ?? '');
    super('MANYPATH_INSTALL_FILE', `cannot ${action} ${path}: ${errorMessage(cause)}`, {
      cause,
      ...(refused ? { hint: 'with --system, run it as root; else see to it that the folder is yours' } : {}),
    });
  }
}

/** Somebody else's file is where one of ours should be. */
export class InstallForeignFileError extends ManypathError {
  constructor(path: string) {
    super('MANYPATH_INSTALL_FOREIGN_FILE', `${path} is there already and was not written by manypath`, {
      hint: 'move it away; or leave the service out with --no-service',
    });
  }
}

/** The list of what was installed cannot be trusted to remove files by it. */
export class InstallRecordError extends ManypathError {
  constructor(path: string, reason: string, cause?: unknown) {
    super('MANYPATH_INSTALL_RECORD_INVALID', `the record of the installation ${path} is wrong: ${reason}`, {
      hint: 'remove the record, install again, and then uninstall',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** Manypath does not know where the browsers of this system look. */
export class InstallPlatformError extends ManypathError {
  constructor(platform: string) {
    super('MANYPATH_INSTALL_PLATFORM', `installing is not supported on ${platform}, only on Linux`, {
      hint: 'manypath browse needs no installation',
    });
  }
}

/** The folder that root's and everybody's program is to be put into can be changed by somebody else. */
export class InstallUnsafeError extends ManypathError {
  constructor(path: string) {
    super(
      'MANYPATH_INSTALL_UNSAFE',
      `others than root can change ${path}, so that nothing is put there for root to run`,
      {
        hint: `see whose it is with ls -ld; it is safe after: sudo chown root ${path} && sudo chmod go-w ${path}`,
      },
    );
  }
}

/** What is installed for the whole machine is root's. */
export class InstallNotRootError extends ManypathError {
  /** @param words Those of the command line, but for the first: `install --system`. */
  constructor(words: string) {
    super('MANYPATH_INSTALL_NOT_ROOT', `manypath ${words} is for the administrator of the machine`, {
      hint: `sudo manypath ${words}`,
    });
  }
}

/** A helper for nobody makes no sense: root needs none. */
export class InstallUsersError extends ManypathError {
  constructor() {
    super('MANYPATH_INSTALL_USERS', 'nobody is named for whom the helper is to work', {
      hint: 'call it with sudo, or name somebody: manypath install --helper --user NAME',
    });
  }
}
