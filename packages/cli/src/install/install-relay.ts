import { join } from 'node:path';
import { ownVersion } from '../own-files.ts';
import { InstallNotRootError } from './errors.ts';
import { ensureFolder, isAsItShouldBe, missingFolders, readableByAll, replaceFile } from './files.ts';
import { type InstalledFile, type PlannedFile, refuseForeignUnits, type ServiceState } from './install.ts';
import type { InstallPlaces } from './places.ts';
import { mergeRecords, readRecord, recordFile, writeRecord } from './record.ts';
import { relayStateDir, relayUnit, relayUnitMark, relayUnitName } from './relay-unit.ts';
import { type SystemProgram, systemProgram, writeSystemProgram } from './system-program.ts';
import { hasSystemd, startRelay } from './systemd.ts';

/** What relay is to run from now on. */
export interface RelayInstallOptions {
  readonly places: InstallPlaces;
  /** Options of `manypath relay`, but for the state folder and the certificate. */
  readonly options: readonly string[];
  /** Where it listens. */
  readonly port: number;
  /** Absolute. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** How long it lets connections go on when it is to end, in seconds. */
  readonly drainSeconds: number;
  /** Whether only to say what would be done. */
  readonly dryRun: boolean;
}

/** What was installed for the relay. */
export interface RelayInstallation {
  readonly program: SystemProgram;
  readonly files: readonly InstalledFile[];
  readonly service: ServiceState;
  /** What starts the relay where systemd does not. */
  readonly command: readonly string[];
  readonly record: string;
}

/**
 * Makes a relay permanent: the unit that runs it from now on, from a place that only root can change. May be repeated, with other options
 * and after an upgrade; its pairing stays the same.
 *
 * @throws InstallNotRootError `MANYPATH_INSTALL_NOT_ROOT`
 * @throws InstallUnsafeError `MANYPATH_INSTALL_UNSAFE`
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 * @throws InstallForeignFileError `MANYPATH_INSTALL_FOREIGN_FILE`
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 */
export function installRelay(wanted: RelayInstallOptions): RelayInstallation {
  const { places, dryRun } = wanted;
  if (!dryRun && process.getuid?.() !== 0) throw new InstallNotRootError('relay install');
  const program = systemProgram(places);
  const command = [program.node, program.commandLine, 'relay', ...wanted.options];
  const unit = unitFile(wanted, command);
  refuseForeignUnits([unit], relayUnitMark);
  const changed = !isAsItShouldBe(unit);
  if (!dryRun) {
    readableByAll(() => {
      const record = mergeRecords(readRecord(places, 'relay'), footprint(places, unit, program));
      writeRecord(places, record, 'relay');
      writeSystemProgram(program);
      ensureFolder(places.systemUnitDir, 0o755);
      replaceFile(unit);
    });
  }
  return {
    program,
    files: [{ path: unit.path, purpose: unit.purpose, changed }],
    // A copy that was renewed may be of other code, also with the same version.
    service: takeUp({ dryRun, changed: changed || program.copy !== null }),
    command: [...command, ...certificateOptions(wanted.certificate), '--state', relayStateDir],
    record: recordFile(places, 'relay'),
  };
}

function unitFile(
  { places, port, certificate, drainSeconds }: RelayInstallOptions,
  command: readonly string[],
): PlannedFile {
  const credentials =
    certificate === undefined
      ? []
      : [
          { name: 'cert', file: certificate.cert },
          { name: 'key', file: certificate.key },
        ];
  // systemd lets the user of the unit read copies of them; it takes new ones in when the unit is started again.
  const copies = certificate && { cert: '%d/cert', key: '%d/key' };
  const text = relayUnit({
    command: [...command, '--state', relayStateDir],
    more: certificateOptions(copies),
    port,
    credentials,
    version: ownVersion(),
    drainSeconds,
  });
  return { path: join(places.systemUnitDir, relayUnitName), purpose: 'service', text, mode: 0o644 };
}

function certificateOptions(certificate: { cert: string; key: string } | undefined): string[] {
  return certificate === undefined ? [] : ['--cert', certificate.cert, '--key', certificate.key];
}

function footprint(places: InstallPlaces, unit: PlannedFile, program: SystemProgram) {
  // Enabling makes a link, in a folder that may not have been there.
  const files = [unit.path, join(places.systemUnitDir, 'multi-user.target.wants', relayUnitName)];
  const folders = [...files.map(file => join(file, '..')), places.dataDir].flatMap(missingFolders);
  return {
    files,
    // The folder of our own is shared with other installations: the last one removes it.
    folders: [...folders, places.dataDir],
    trees: program.copy === null ? [] : [program.copy],
  };
}

function takeUp({ dryRun, changed }: { dryRun: boolean; changed: boolean }): ServiceState {
  if (dryRun) return { state: 'written', reason: 'nothing was done' };
  if (!hasSystemd()) return { state: 'written', reason: 'systemd does not run this machine' };
  const reason = startRelay({ changed });
  return reason === undefined ? { state: 'started', reason: null } : { state: 'written', reason };
}
