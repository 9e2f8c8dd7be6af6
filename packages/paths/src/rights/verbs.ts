import { isIP } from 'node:net';
import type { SocketAddress } from '@manypath/mptcp';
import { pathsLimits } from '../limits.ts';
import type { NewSubflow, SubflowEnd } from '../steering/steering-rights.ts';
import { HelperRefusedError } from './errors.ts';

/** The version of this protocol: one JSON object a line, each way. */
export const helperVersion = 1;

/** What a path's endpoint is to be. */
export type EndpointUse = 'active' | 'backup' | 'none';

/** A path that is to be set up. */
export interface WantedPath {
  readonly name: string;
  readonly endpoint: EndpointUse;
}

/** All that the helper does. */
export type Verb =
  | { readonly verb: 'hello' }
  /** Sets these paths up, and no others, for as long as this client is there. */
  | { readonly verb: 'keep'; readonly paths: readonly WantedPath[] }
  /** Leaves sockets that are made now to user space, for a moment. */
  | { readonly verb: 'open-window' }
  | { readonly verb: 'close-window' }
  | ({ readonly verb: 'create-subflow' } & NewSubflow)
  | { readonly verb: 'destroy-subflow'; readonly token: number; readonly subflow: SubflowEnd }
  | { readonly verb: 'remove-address'; readonly token: number; readonly localId: number }
  | {
      readonly verb: 'set-backup';
      readonly token: number;
      readonly subflow: SubflowEnd;
      readonly backup: boolean;
    };

/**
 * Reads what a client asks. Nothing that is not here is done, and every argument is looked at.
 *
 * @throws HelperRefusedError `MANYPATH_HELPER_REFUSED`
 */
export function readVerb(message: unknown): Verb {
  const asked = new Fields(message, 'the request');
  const verb = asked.text('verb', /^[a-z-]{1,20}$/);
  switch (verb) {
    case 'hello':
      if (asked.number('version', 1, 1000) !== helperVersion) throw refusal('this is another version');
      return { verb };
    case 'keep':
      return { verb, paths: asked.list('paths', pathsLimits.helperPaths).map(readPath) };
    case 'open-window':
    case 'close-window':
      return { verb };
    case 'create-subflow':
      return {
        verb,
        token: asked.token(),
        localAddress: asked.address('localAddress'),
        localId: asked.number('localId', 0, 255),
        device: asked.text('device', deviceName),
        remote: readEnd(asked.value('remote')),
        backup: asked.flag('backup'),
      };
    case 'destroy-subflow':
      return { verb, token: asked.token(), subflow: readSubflow(asked.value('subflow')) };
    case 'remove-address':
      return { verb, token: asked.token(), localId: asked.number('localId', 0, 255) };
    case 'set-backup': {
      const subflow = readSubflow(asked.value('subflow'));
      return { verb, token: asked.token(), subflow, backup: asked.flag('backup') };
    }
    default:
      throw refusal(`there is no verb ${verb}`);
  }
}

/** As Linux allows them, and without what a shell or a path could take amiss. */
const deviceName = /^[A-Za-z0-9_.-]{1,15}$/;

function readPath(value: unknown): WantedPath {
  const path = new Fields(value, 'a path');
  const endpoint = path.text('endpoint', /^(active|backup|none)$/) as EndpointUse;
  return { name: path.text('name', deviceName), endpoint };
}

function readSubflow(value: unknown): SubflowEnd {
  const subflow = new Fields(value, 'a subflow');
  return { local: readEnd(subflow.value('local')), remote: readEnd(subflow.value('remote')) };
}

function readEnd(value: unknown): SocketAddress {
  const end = new Fields(value, 'an address');
  return { address: end.address('address'), port: end.number('port', 1, 65_535) };
}

/** The fields of one object that came from outside. */
class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw refusal(`${what} is no object`);
    }
    this.#fields = value as Record<string, unknown>;
    this.#what = what;
  }

  value(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  text(name: string, pattern: RegExp): string {
    const value = this.value(name);
    if (typeof value !== 'string' || !pattern.test(value)) throw this.#wrong(name);
    return value;
  }

  number(name: string, least: number, most: number): number {
    const value = this.value(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw this.#wrong(name);
    }
    return value;
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== 'boolean') throw this.#wrong(name);
    return value;
  }

  address(name: string): string {
    const value = this.value(name);
    if (typeof value !== 'string' || value.length > 45 || isIP(value) === 0) throw this.#wrong(name);
    return value;
  }

  list(name: string, most: number): readonly unknown[] {
    const value = this.value(name);
    if (!Array.isArray(value) || value.length > most) throw this.#wrong(name);
    return value;
  }

  token(): number {
    return this.number('token', 1, 0xffff_ffff);
  }

  #wrong(name: string): HelperRefusedError {
    return refusal(`${this.#what} has no usable ${name}`);
  }
}

function refusal(reason: string): HelperRefusedError {
  return new HelperRefusedError(reason);
}
