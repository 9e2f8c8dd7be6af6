import { join } from 'node:path';
import { ownProgram, ownVersion, type Program } from '../own-files.ts';
import { type InstallTarget, installTargets, type TargetChoice } from './browsers.ts';
import { InstallForeignFileError, InstallNotRootError, InstallPlatformError } from './errors.ts';
import {
  ensureFolder,
  type FileContent,
  isAsItShouldBe,
  missingFolders,
  readableByAll,
  readIfThere,
  replaceFile,
} from './files.ts';
import { hostManifest, hostWrapper, manifestName, wrapperName } from './host-manifest.ts';
import type { InstallPlaces } from './places.ts';
import { type InstallRecord, mergeRecords, readRecord, recordFile, writeRecord } from './record.ts';
import { serviceUnit, unitMark, unitName } from './service-unit.ts';
import { type SystemProgram, systemProgram, writeSystemProgram } from './system-program.ts';
import { hasSystemd, startService } from './systemd.ts';

/** What is to be installed, and where. */
export interface InstallOptions extends TargetChoice {
  readonly places: InstallPlaces;
  /** State folder of the gateway, absolute; `undefined`: the usual one. */
  readonly stateDir: string | undefined;
  /** Whether to write and start the service; default: if systemd runs this machine. */
  readonly service?: boolean | undefined;
  /** Whether only to say what would be done. */
  readonly dryRun: boolean;
}

/** A file of the installation. */
export interface InstalledFile {
  readonly path: string;
  readonly purpose: 'host' | 'manifest' | 'service';
  /** Whether it was not there, or was another one. */
  readonly changed: boolean;
}

/** `started`: it runs; `written`: the user has to start it, `reason` says why; `none`: there is none. */
export interface ServiceState {
  readonly state: 'started' | 'written' | 'none';
  readonly reason: string | null;
}

/** What was installed. */
export interface Installation {
  readonly targets: readonly InstallTarget[];
  readonly files: readonly InstalledFile[];
  readonly service: ServiceState;
  /** The folder of the extension that browsers are to load. */
  readonly extension: string;
  /** With `system`: a copy of the program that only root can change, and why there has to be one; else `null`. */
  readonly copy: { readonly folder: string; readonly reason: string } | null;
  /** List of what {@link uninstall} removes. */
  readonly record: string;
}

/** A file to write, and what it is for. */
export type PlannedFile = FileContent & { readonly purpose: InstalledFile['purpose'] };

/**
 * Makes the native messaging host known to browsers and has the daemon run. May be repeated, also with other browsers.
 *
 * For all users of the machine nothing is started that one of them can change: see {@link systemProgram}.
 *
 * @throws BrowserNotFoundError `MANYPATH_BROWSER_NOT_FOUND`
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 * @throws InstallForeignFileError `MANYPATH_INSTALL_FOREIGN_FILE`
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 * @throws InstallPlatformError `MANYPATH_INSTALL_PLATFORM`
 * @throws InstallNotRootError `MANYPATH_INSTALL_NOT_ROOT`
 * @throws InstallUnsafeError `MANYPATH_INSTALL_UNSAFE`
 */
export function install(options: InstallOptions): Installation {
  if (process.platform !== 'linux') throw new InstallPlatformError(process.platform);
  const { places, dryRun } = options;
  if (places.system && !dryRun && process.getuid?.() !== 0) throw new InstallNotRootError('install --system');
  const targets = installTargets(places, options);
  const program = places.system ? systemProgram(places) : undefined;
  const planned = plan(options, targets, program ?? ownProgram());
  refuseForeignUnits(planned, unitMark);
  const changed = new Set(planned.filter(file => !isAsItShouldBe(file)).map(({ path }) => path));
  const write = (): void => {
    // First the record: whatever happens from here on can be undone.
    writeRecord(places, mergeRecords(readRecord(places), footprint(places, planned, program)));
    if (program !== undefined) writeSystemProgram(program);
    for (const file of planned) {
      ensureFolder(join(file.path, '..'), places.system ? 0o755 : 0o700);
      replaceFile(file);
    }
  };
  if (!dryRun) {
    if (places.system) readableByAll(write);
    else write();
  }
  return {
    targets,
    files: planned.map(({ path, purpose }) => ({ path, purpose, changed: changed.has(path) })),
    service: takeUpService(options, planned, changed),
    extension: (program ?? ownProgram()).extension,
    copy: program?.copy == null ? null : { folder: program.copy, reason: program.reason ?? '' },
    record: recordFile(places),
  };
}

function plan(
  { places, stateDir, service }: InstallOptions,
  targets: readonly InstallTarget[],
  program: Program,
): PlannedFile[] {
  const wrapper = join(places.dataDir, wrapperName);
  const planned: PlannedFile[] = [
    { path: wrapper, purpose: 'host', text: hostWrapper({ program, stateDir }), mode: 0o755 },
  ];
  for (const folder of new Set(targets.map(target => target.folder))) {
    const path = join(folder, manifestName);
    planned.push({ path, purpose: 'manifest', text: hostManifest(wrapper), mode: 0o644 });
  }
  if (service ?? hasSystemd()) {
    const command = [program.node, program.commandLine, 'up'];
    if (stateDir !== undefined) command.push('--state', stateDir);
    const path = join(places.unitDir, unitName);
    planned.push({
      path,
      purpose: 'service',
      text: serviceUnit({ command, version: ownVersion() }),
      mode: 0o644,
    });
  }
  return planned;
}

/** Somebody's own unit of that name is not ours to replace. @param mark What a unit of ours begins with. */
export function refuseForeignUnits(planned: readonly PlannedFile[], mark: string): void {
  for (const { path, purpose } of planned) {
    if (purpose === 'service' && readIfThere(path)?.startsWith(mark) === false) {
      throw new InstallForeignFileError(path);
    }
  }
}

function footprint(
  places: InstallPlaces,
  planned: readonly PlannedFile[],
  program: SystemProgram | undefined,
): Partial<InstallRecord> {
  const files = planned.map(({ path }) => path);
  // Enabling makes a link, in a folder that may not have been there.
  if (!places.system && planned.some(({ purpose }) => purpose === 'service')) {
    files.push(join(places.unitDir, 'default.target.wants', unitName));
  }
  // The folder of our own is shared with the helper's installation: the last one removes it.
  const folders = [places.dataDir, ...files.map(file => join(file, '..'))].flatMap(missingFolders);
  folders.push(places.dataDir);
  return { files, folders, trees: program?.copy == null ? [] : [program.copy] };
}

function takeUpService(
  { places, dryRun }: InstallOptions,
  planned: readonly PlannedFile[],
  changed: ReadonlySet<string>,
): Installation['service'] {
  const unit = planned.find(({ purpose }) => purpose === 'service');
  if (unit === undefined) return { state: 'none', reason: null };
  if (dryRun) return { state: 'written', reason: 'nothing was done' };
  if (places.system) return { state: 'written', reason: 'each user decides' };
  const reason = startService({ changed: changed.has(unit.path) });
  return reason === undefined ? { state: 'started', reason: null } : { state: 'written', reason };
}
