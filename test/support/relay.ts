import { join } from 'node:path';
import type { Lab } from '@manypath/lab';
import { type RunningManypath, startManypath } from './manypath.ts';

/** What is unusual about a relay. */
export interface LabRelayOptions {
  /** Where it listens. Default: port 8443 of both families. */
  readonly listen?: string;
  /** What its pairing calls it. Default: its IPv4 address. */
  readonly name?: string | undefined;
}

/** Starts a relay in its namespace of the lab. @param folder Its state goes to `relay` in there. */
export function startLabRelay(
  lab: Lab,
  folder: string,
  { listen = '[::]:8443', name = lab.addresses.relay }: LabRelayOptions = {},
): Promise<RunningManypath> {
  const place = ['--listen', listen, '--public', name, '--allow-private'];
  return startManypath(['relay', '--json', ...place, '--state', join(folder, 'relay')], command =>
    lab.spawn('relay', command),
  );
}

/** As {@link startLabRelay}. @returns Its pairing URL. */
export async function pairingOfLabRelay(lab: Lab, folder: string): Promise<string> {
  return String((await startLabRelay(lab, folder)).ready.pairing);
}
