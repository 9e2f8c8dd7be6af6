import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { addressScope, type Logger } from '@manypath/core';
import { replaceFile } from '@manypath/files';
import { switchValue } from './chromium-arguments.ts';
import { DebuggingPort } from './debugging-port.ts';
import type { BrowserLimits } from './limits.ts';
import type { QuietNamespace } from './quiet-namespace.ts';

const portSwitch = '--remote-debugging-port';
const addressSwitch = '--remote-debugging-address';

/** What {@link openRemoteDebugging} needs. */
export interface RemoteDebuggingOptions {
  /** Arguments of the user for the browser. */
  readonly extra: readonly string[];
  /** The browser's; without one, the browser itself listens where it was told to. */
  readonly namespace: QuietNamespace | undefined;
  /** Folder of the profile. */
  readonly profile: string;
  readonly admits: (accepted: Socket) => boolean;
  readonly logger: Pick<Logger, 'warn'>;
  readonly limits: BrowserLimits;
}

/** The way in for who drives the browser over a port. */
export interface RemoteDebugging {
  /** Arguments for the browser. */
  readonly extra: readonly string[];
  /** To be told where the browser says that it takes orders. */
  onListening(url: URL): void;
  close(): void;
}

/**
 * Makes the debugging port that a user asks for reachable from outside the browser's namespace, under the same number.
 *
 * @throws DebuggingPortError `MANYPATH_DEBUGGING_PORT_FAILED`
 */
export async function openRemoteDebugging(options: RemoteDebuggingOptions): Promise<RemoteDebugging> {
  const { extra, namespace, profile, admits, logger, limits } = options;
  const asked = portOf(switchValue(extra, portSwitch));
  if (namespace === undefined || asked === undefined) {
    return { extra, onListening: () => {}, close: () => {} };
  }
  const address = loopbackOf(switchValue(extra, addressSwitch), logger);
  const port = await DebuggingPort.open({
    namespace,
    port: asked,
    address,
    admits,
    mostConnections: limits.debuggingConnections,
    waitMs: limits.debuggingWaitMs,
  });
  // The browser writes this file only when it chooses the port itself; drivers wait for it.
  const file = join(profile, 'DevToolsActivePort');
  if (asked === 0) rmSync(file, { force: true });
  return {
    extra: [
      ...extra.filter(argument => argument.split('=', 1)[0] !== portSwitch),
      `${portSwitch}=${port.port}`,
    ],
    onListening(url) {
      if (asked !== 0) return;
      replaceFile(file, `${port.port}\n${url.pathname}`);
    },
    close: () => port.close(),
  };
}

/** A port as Chromium takes it; what is none is Chromium's to complain about. */
function portOf(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,5}$/.test(value) || Number(value) > 65_535) return undefined;
  return Number(value);
}

/** Whoever reaches the port drives the browser, and only on this machine it can be told who that is. */
function loopbackOf(address: string | undefined, logger: Pick<Logger, 'warn'>): string | undefined {
  if (address === undefined || address === '' || address === 'localhost') return undefined;
  if (addressScope(address) === 'loopback') return address;
  logger.warn(
    {},
    `${addressSwitch}=${address}: only this machine gets at the browser; take an SSH tunnel for others`,
  );
  return undefined;
}
