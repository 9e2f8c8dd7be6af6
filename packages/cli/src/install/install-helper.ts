import { join } from 'node:path';
import { ownVersion } from '../own-files.ts';
import { InstallNotRootError, InstallUsersError } from './errors.ts';
import { ensureFolder, isAsItShouldBe, missingFolders, readableByAll, replaceFile } from './files.ts';
import {
  helperService,
  helperServiceName,
  helperSocket,
  helperSocketName,
  helperStateDir,
  helperUnitMark,
} from './helper-units.ts';
import { type InstalledFile, type PlannedFile, refuseForeignUnits, type ServiceState } from './install.ts';
import type { InstallPlaces } from './places.ts';
import { type InstallRecord, mergeRecords, readRecord, recordFile, writeRecord } from './record.ts';
import { type SystemProgram, systemProgram, writeSystemProgram } from './system-program.ts';
import { hasSystemd, startHelper } from './systemd.ts';

/** Whom the helper is to serve. */
export interface HelperInstallOptions {
  readonly places: InstallPlaces;
  /** User numbers, besides root and those it was installed for before. */
  readonly users: readonly number[];
  /** Whether only to say what would be done. */
  readonly dryRun: boolean;
}

/** What was installed for the helper. */
export interface HelperInstallation {
  readonly program: SystemProgram;
  readonly files: readonly InstalledFile[];
  readonly users: readonly number[];
  readonly service: ServiceState;
  /** What starts the helper where systemd does not. */
  readonly command: readonly string[];
  readonly record: string;
}

/**
 * Makes the privileged helper permanent: the units that start it when somebody asks for it, from a place that only root can change. May
 * be repeated, for more users and after an upgrade.
 *
 * @throws InstallNotRootError `MANYPATH_INSTALL_NOT_ROOT`
 * @throws InstallUsersError `MANYPATH_INSTALL_USERS`
 * @throws InstallUnsafeError `MANYPATH_INSTALL_UNSAFE`
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 * @throws InstallForeignFileError `MANYPATH_INSTALL_FOREIGN_FILE`
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 */
export function installHelper({ places, users, dryRun }: HelperInstallOptions): HelperInstallation {
  if (!dryRun && process.getuid?.() !== 0) throw new InstallNotRootError('install --helper');
  const before = readRecord(places, 'helper');
  const served = [...new Set([...(before?.users ?? []), ...users])].sort((left, right) => left - right);
  if (served.length === 0) throw new InstallUsersError();
  const program = systemProgram(places);
  const command = [
    program.node,
    program.commandLine,
    'helper',
    ...served.flatMap(uid => ['--user', `${uid}`]),
  ];
  const planned = plan(places, command);
  refuseForeignUnits(planned, helperUnitMark);
  const changed = new Set(planned.filter(file => !isAsItShouldBe(file)).map(({ path }) => path));
  if (!dryRun) {
    readableByAll(() => {
      writeRecord(places, mergeRecords(before, footprint(places, { planned, program, served })), 'helper');
      writeSystemProgram(program);
      for (const file of planned) {
        ensureFolder(join(file.path, '..'), 0o755);
        replaceFile(file);
      }
    });
  }
  return {
    program,
    files: planned.map(({ path, purpose }) => ({ path, purpose, changed: changed.has(path) })),
    users: served,
    // A copy that was renewed may be of other code, also with the same version.
    service: takeUp({ dryRun, changed: changed.size > 0 || program.copy !== null }),
    command,
    record: recordFile(places, 'helper'),
  };
}

function plan(places: InstallPlaces, command: readonly string[]): PlannedFile[] {
  const version = ownVersion();
  const service = helperService({ command: [...command, '--state', helperStateDir], version });
  const unit = (name: string, text: string): PlannedFile => ({
    path: join(places.systemUnitDir, name),
    purpose: 'service',
    text,
    mode: 0o644,
  });
  return [unit(helperServiceName, service), unit(helperSocketName, helperSocket({ version }))];
}

function footprint(
  places: InstallPlaces,
  { planned, program, served }: { planned: readonly PlannedFile[]; program: SystemProgram; served: number[] },
): InstallRecord {
  const files = planned.map(({ path }) => path);
  // Enabling makes a link, in a folder that may not have been there.
  files.push(join(places.systemUnitDir, 'sockets.target.wants', helperSocketName));
  const folders = [...files.map(file => join(file, '..')), places.dataDir].flatMap(missingFolders);
  return {
    files,
    // The folder of our own is shared with the other installation: the last one removes it.
    folders: [...folders, places.dataDir],
    trees: program.copy === null ? [] : [program.copy],
    users: served,
  };
}

function takeUp({ dryRun, changed }: { dryRun: boolean; changed: boolean }): ServiceState {
  if (dryRun) return { state: 'written', reason: 'nothing was done' };
  if (!hasSystemd()) return { state: 'written', reason: 'systemd does not run this machine' };
  const reason = startHelper({ changed });
  return reason === undefined ? { state: 'started', reason: null } : { state: 'written', reason };
}
