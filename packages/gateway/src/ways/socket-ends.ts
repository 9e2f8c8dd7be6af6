import type { Socket } from 'node:net';
import type { Authority } from '@manypath/core';

/** Where a connection leaves this host; `undefined` when that is not known, or not any more. */
export function nearEnd({ localAddress, localPort }: Socket): Authority | undefined {
  return endOf(localAddress, localPort);
}

/** Who is at its other end. */
export function farEnd({ remoteAddress, remotePort }: Socket): Authority | undefined {
  return endOf(remoteAddress, remotePort);
}

function endOf(host: string | undefined, port: number | undefined): Authority | undefined {
  return host === undefined || port === undefined ? undefined : { host, port };
}
