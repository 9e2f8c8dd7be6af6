import { basename } from 'node:path';
import { InstallNotRootError } from './errors.ts';
import { removeFile, removeIfEmpty, removeTree } from './files.ts';
import type { InstallPlaces } from './places.ts';
import {
  type InstallKind,
  type InstallRecord,
  installKinds,
  mergeRecords,
  readRecord,
  recordFile,
  writeRecord,
} from './record.ts';
import { unitName } from './service-unit.ts';
import { forgetHelper, forgetRelay, forgetService, stopHelper, stopRelay, stopService } from './systemd.ts';

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
  const others = places.system ? otherRecords(places, kind) : [];
  // A copy of the program serves them all.
  const trees = record.trees.filter(tree => !others.some(other => other.record.trees.includes(tree)));
  if (dryRun) return { files: [...record.files, ...trees], folders: record.folders };
  if (places.system && process.getuid?.() !== 0) {
    throw new InstallNotRootError(commandFor[kind]);
  }
  const daemon = daemonOf(places, kind, record);
  daemon?.stop();
  const files = [...record.files.filter(removeFile), ...trees.filter(removeTree)];
  daemon?.forget();
  // Folders that others have files in are left to them.
  for (const other of others)
    writeRecord(places, mergeRecords(other.record, { folders: record.folders }), other.kind);
  // Last the record: until then this can be repeated.
  removeFile(recordFile(places, kind));
  // Inner folders are longer than those they are in.
  const inwards = record.folders.toSorted((left, right) => right.length - left.length);
  return { files, folders: inwards.filter(removeIfEmpty) };
}

const commandFor: Record<InstallKind, string> = {
  browsers: 'uninstall --system',
  helper: 'uninstall --helper',
  relay: 'relay uninstall',
};

function otherRecords(
  places: InstallPlaces,
  kind: InstallKind,
): { kind: InstallKind; record: InstallRecord }[] {
  return installKinds.flatMap(other => {
    const record = other === kind ? undefined : readRecord(places, other);
    return record === undefined ? [] : [{ kind: other, record }];
  });
}

function daemonOf(places: InstallPlaces, kind: InstallKind, { files }: InstallRecord) {
  if (kind === 'helper') return { stop: stopHelper, forget: forgetHelper };
  if (kind === 'relay') return { stop: stopRelay, forget: forgetRelay };
  if (places.system || !files.some(file => basename(file) === unitName)) return undefined;
  return { stop: stopService, forget: forgetService };
}
