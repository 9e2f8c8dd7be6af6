import { errorCode } from './errors.ts';

/**
 * What to do about a file or folder that the system refuses.
 *
 * @param elsewhere How to name another one, for the end of a sentence: `name another folder with --state DIR`.
 * @returns `undefined` when it is not the system's word on rights or room.
 */
export function fileAdvice(cause: unknown, elsewhere: string): string | undefined {
  switch (errorCode(cause)) {
    case 'EACCES':
    case 'EPERM':
      return `do it as the user whom it belongs to, or ${elsewhere}`;
    case 'EROFS':
      return `nothing can be written on that disk: ${elsewhere}`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `make room on that disk, or ${elsewhere}`;
    default:
      return undefined;
  }
}
