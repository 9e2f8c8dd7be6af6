import { join } from 'node:path';
import { programs } from '../own-files.ts';
import { type InstallTarget, installTargets, type TargetChoice } from './browsers.ts';
import { InstallForeignFileError, InstallPlatformError } from './errors.ts';
import {
  closedToOthers,
  ensureFolder,
  type FileContent,
  isAsItShouldBe,
  missingFolders,
  readIfThere,
  replaceFile,
} from './files.ts';
import { hostManifest, hostWrapper, manifestName, wrapperName } from './host-manifest.ts';
import type { InstallPlaces } from './places.ts';
import { mergeRecords, readRecord, recordFile, writeRecord } from './record.ts';
import { serviceUnit, unitMark, unitName } from './service-unit.ts';
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

/** What was installed. */
export interface Installation {
  readonly targets: readonly InstallTarget[];
  readonly files: readonly InstalledFile[];
  /**
   * `started`: it runs; `written`: the user has to start it, `reason` says why; `none`: there is none.
   */
  readonly service: { readonly state: 'started' | 'written' | 'none'; readonly reason: string | null };
  /** With `system`: a folder that only its owner can enter, with Manypath in it; else `null`. */
  readonly closed: string | null;
  /** List of what {@link uninstall} removes. */
  readonly record: string;
}

type PlannedFile = FileContent & { readonly purpose: InstalledFile['purpose'] };

/**
 * Makes the native messaging host known to browsers and has the daemon run. May be repeated, also with other browsers.
 *
 * @throws BrowserNotFoundError `MANYPATH_BROWSER_NOT_FOUND`
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 * @throws InstallForeignFileError `MANYPATH_INSTALL_FOREIGN_FILE`
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 * @throws InstallPlatformError `MANYPATH_INSTALL_PLATFORM`
 */
export function install(options: InstallOptions): Installation {
  if (process.platform !== 'linux') throw new InstallPlatformError(process.platform);
  const { places, dryRun } = options;
  const targets = installTargets(places, options);
  const planned = plan(options, targets);
  refuseForeignUnit(planned);
  const changed = new Set(planned.filter(file => !isAsItShouldBe(file)).map(({ path }) => path));
  if (!dryRun) {
    // First the record: whatever happens from here on can be undone.
    writeRecord(places, mergeRecords(readRecord(places), footprint(places, planned)));
    for (const file of planned) {
      ensureFolder(join(file.path, '..'), places.system ? 0o755 : 0o700);
      replaceFile(file);
    }
  }
  return {
    targets,
    files: planned.map(({ path, purpose }) => ({ path, purpose, changed: changed.has(path) })),
    service: takeUpService(options, planned, changed),
    closed: places.system
      ? (closedToOthers(programs.nativeHost) ?? closedToOthers(process.execPath) ?? null)
      : null,
    record: recordFile(places),
  };
}

function plan(
  { places, stateDir, service }: InstallOptions,
  targets: readonly InstallTarget[],
): PlannedFile[] {
  const wrapper = join(places.dataDir, wrapperName);
  const planned: PlannedFile[] = [
    { path: wrapper, purpose: 'host', text: hostWrapper({ stateDir }), mode: 0o755 },
  ];
  for (const folder of new Set(targets.map(target => target.folder))) {
    const path = join(folder, manifestName);
    planned.push({ path, purpose: 'manifest', text: hostManifest(wrapper), mode: 0o644 });
  }
  if (service ?? hasSystemd()) {
    const command = [process.execPath, programs.commandLine, 'up'];
    if (stateDir !== undefined) command.push('--state', stateDir);
    const path = join(places.unitDir, unitName);
    planned.push({ path, purpose: 'service', text: serviceUnit({ command }), mode: 0o644 });
  }
  return planned;
}

/** A user's own unit of that name is not ours to replace. */
function refuseForeignUnit(planned: readonly PlannedFile[]): void {
  for (const { path, purpose } of planned) {
    if (purpose === 'service' && readIfThere(path)?.startsWith(unitMark) === false) {
      throw new InstallForeignFileError(path);
    }
  }
}

function footprint(places: InstallPlaces, planned: readonly PlannedFile[]) {
  const files = planned.map(({ path }) => path);
  // Enabling makes a link, in a folder that may not have been there.
  if (!places.system && planned.some(({ purpose }) => purpose === 'service')) {
    files.push(join(places.unitDir, 'default.target.wants', unitName));
  }
  const folders = [places.dataDir, ...files.map(file => join(file, '..'))].flatMap(missingFolders);
  return { files, folders };
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
