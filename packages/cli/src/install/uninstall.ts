import { basename } from 'node:path';
import { removeFile, removeIfEmpty } from './files.ts';
import type { InstallPlaces } from './places.ts';
import { readRecord, recordFile } from './record.ts';
import { unitName } from './service-unit.ts';
import { forgetService, stopService } from './systemd.ts';

/** What {@link uninstall} removed, or would remove. */
export interface Uninstallation {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/**
 * Removes what was installed, file by file as recorded, and the folders that were made for it if nothing else is in
 * them. Where nothing is installed nothing happens.
 *
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`; repeating it goes on where it ended
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 */
export function uninstall({ places, dryRun }: { places: InstallPlaces; dryRun: boolean }): Uninstallation {
  const record = readRecord(places);
  if (record === undefined) return { files: [], folders: [] };
  if (dryRun) return record;
  const hasService = !places.system && record.files.some(file => basename(file) === unitName);
  if (hasService) stopService();
  const files = record.files.filter(removeFile);
  if (hasService) forgetService();
  // Last the record: until then this can be repeated.
  removeFile(recordFile(places));
  // Inner folders are longer than those they are in.
  const inwards = record.folders.toSorted((left, right) => right.length - left.length);
  return { files, folders: inwards.filter(removeIfEmpty) };
}
