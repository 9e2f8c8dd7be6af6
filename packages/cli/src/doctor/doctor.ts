import { errorMessage, parsePairing, type StatusDocument } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import type { ConfigPlace } from '../config/index.ts';
import { isHelperThere, mayChangeKernel } from '../kernel-rights.ts';
import { checkConfig } from './check-config.ts';
import { checkCounters } from './check-counters.ts';
import { checkHost } from './check-host.ts';
import { checkKernel } from './check-kernel.ts';
import { checkLeftovers } from './check-leftovers.ts';
import { checkPaths } from './check-paths.ts';
import { checkRelay } from './check-relay.ts';
import { checkUse } from './check-use.ts';
import { bad, type Finding } from './finding.ts';

export interface DoctorOptions {
  readonly stateDir: string;
  /** Pairing URL; default: that of the gateway that runs is not known, so the relay is left out. */
  readonly relay: string | undefined;
  /** Where the configuration is. */
  readonly config: ConfigPlace;
}

/** Looks at everything that can stop Multipath TCP on this host. */
export async function examine({ stateDir, relay, config }: DoctorOptions): Promise<Finding[]> {
  const running = await runningStatus(stateDir);
  const mayManage = await canManage();
  const findings = [
    ...(await tried('kernel', checkKernel)),
    ...(await tried('paths', () => checkPaths(running?.paths, mayManage))),
    ...(await tried('counters', () => checkCounters())),
    ...(await tried('host', () => checkHost())),
    ...(await tried('leftovers', () => [checkLeftovers(stateDir)])),
    ...checkConfig(config),
    ...(running === undefined ? [] : [checkUse(running.multipath)]),
  ];
  if (relay === undefined) return findings;
  const paths = findings.flatMap(({ id }) => (/^path-(.+)$/.exec(id) ?? []).slice(1));
  return [...findings, ...(await tried('relay', () => checkRelay(parsePairing(relay), paths)))];
}

/** A check that cannot be made is a finding of its own, and the others are made all the same. */
async function tried(id: string, check: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    return [bad(`${id}-unknown`, `this could not be looked at: ${errorMessage(error)}`, 'run it with sudo')];
  }
}

async function runningStatus(stateDir: string): Promise<StatusDocument | undefined> {
  try {
    const client = await ControlClient.connect(stateDir);
    try {
      return await client.status();
    } finally {
      client.close();
    }
  } catch {
    return undefined;
  }
}

/** By itself, or through the helper. */
async function canManage(): Promise<boolean> {
  return mayChangeKernel() || (await isHelperThere());
}
