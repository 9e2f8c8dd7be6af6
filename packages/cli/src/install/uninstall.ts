import { basename } from 'node:path';
import { InstallNotRootError } from './errors.ts';
import { removeFile, removeIfEmpty, removeTree } from './files.ts';
import type { InstallPlaces } from './places.ts';
import {
  type InstallKind,
  type InstallRecord,
  mergeRecords,
  readRecord,
  recordFile,
  writeRecord,
} from './record.ts';
import { unitName } from './service-unit.ts';
import { forgetHelper, forgetService, stopHelper, stopService } from './systemd.ts';

/** What {@link uninstall} removed, or would remove. */
export interface Uninstallation {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** What is to be removed. */
export interface UninstallOptions {
  readonly places: InstallPlaces;
  /** Default: the native host and the daemon. */
  readonly kind?: InstallKind;
  readonly dryRun: boolean;
}

/**
 * Removes what was installed, file by file as recorded, the copy of the program if nothing else that is installed needs it, and the
 * folders that were made for it if nothing else is in them. Where nothing is installed nothing happens.
 *
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`; repeating it goes on where it ended
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 * @throws InstallNotRootError `MANYPATH_INSTALL_NOT_ROOT`
 */
export function uninstall({ places, kind = 'browsers', dryRun }: UninstallOptions): Uninstallation {
  const record = readRecord(places, kind);
  if (record === undefined) return { files: [], folders: [] };
  const other = places.system ? readRecord(places, otherKind(kind)) : undefined;
  // A copy of the program serves helper and browsers.
  const trees = record.trees.filter(tree => other?.trees.includes(tree) !== true);
  if (dryRun) return { files: [...record.files, ...trees], folders: record.folders };
  if (places.system && process.getuid?.() !== 0) {
    throw new InstallNotRootError('uninstall', kind === 'helper' ? '--helper' : '--system');
  }
  const daemon = daemonOf(places, kind, record);
  daemon?.stop();
  const files = [...record.files.filter(removeFile), ...trees.filter(removeTree)];
  daemon?.forget();
  // Folders that the other one has files in are left to it.
  if (other !== undefined)
    writeRecord(places, mergeRecords(other, { folders: record.folders }), otherKind(kind));
  // Last the record: until then this can be repeated.
  removeFile(recordFile(places, kind));
  // Inner folders are longer than those they are in.
  const inwards = record.folders.toSorted((left, right) => right.length - left.length);
  return { files, folders: inwards.filter(removeIfEmpty) };
}

function otherKind(kind: InstallKind): InstallKind {
  return kind === 'helper' ? 'browsers' : 'helper';
}

function daemonOf(places: InstallPlaces, kind: InstallKind, { files }: InstallRecord) {
  if (kind === 'helper') return { stop: stopHelper, forget: forgetHelper };
  if (places.system || !files.some(file => basename(file) === unitName)) return undefined;
  return { stop: stopService, forget: forgetService };
}
