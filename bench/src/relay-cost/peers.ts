import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianPackage, findTool } from '../tools.ts';
import type { Place, RelayDialect } from './messages.ts';

/** Where a relay listens, and where it relays to if it is not told by the client. */
export interface RelayPlace {
  readonly port: number;
  readonly target: Place;
  readonly mptcp: boolean;
  /** For what it writes. */
  readonly folder: string;
}

/** A relay that is measured. */
export interface Peer {
  readonly name: string;
  readonly dialect: RelayDialect;
  /** Programs it needs, all to be installed. */
  readonly needs: readonly string[];
  /** How much of the bytes of a round it gets: the slow ones would take minutes, and what is measured is per byte. */
  readonly share: number;
  /** Whether it takes Multipath TCP from clients; dialling on, every one does. */
  readonly multipathClients: boolean;
  command(place: RelayPlace): readonly string[];
}

export const ours = 'manypath relayBytes';
export const reference = 'haproxy, 256K buffers';

export const peers: readonly Peer[] = [
  nodeRelay(ours, 'manypath', 1),
  {
    name: 'manypath up (TCP clients)',
    dialect: 'connect',
    needs: [],
    share: 1,
    multipathClients: false,
    command: gateway,
  },
  haproxy(reference, 262_144),
  haproxy('haproxy, default buffers', undefined),
  nodeRelay('node pipe', 'pipe', 1 / 2),
  {
    name: 'microsocks',
    dialect: 'socks5',
    needs: ['microsocks', 'mptcpize'],
    share: 1 / 8,
    multipathClients: true,
    command: ({ port, mptcp }) => [...preload(mptcp), 'microsocks', '-i', '127.0.0.1', '-p', String(port)],
  },
];

function here(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Why a peer cannot be measured here; `undefined` when it can. */
export function whyMissing(peer: Peer): string | undefined {
  const missing = peer.needs.filter(tool => findTool(tool) === undefined);
  if (missing.length === 0) return undefined;
  return `needs the Debian package${missing.length > 1 ? 's' : ''} ${missing.map(debianPackage).join(' and ')}`;
}

function nodeRelay(name: string, engine: string, share: number): Peer {
  const command = ({ port, target, mptcp }: RelayPlace) => {
    return [
      process.execPath,
      here('./relay-main.js'),
      engine,
      String(port),
      target.host,
      String(target.port),
      String(mptcp),
    ];
  };
  return { name, dialect: 'none', needs: [], share, multipathClients: true, command };
}

/** The program as people start it, without a relay: every connection goes straight. */
function gateway({ port, folder }: RelayPlace): readonly string[] {
  const main = here('../../../packages/cli/dist/main.js');
  return [
    process.execPath,
    main,
    'up',
    '--json',
    '--listen',
    `127.0.0.1:${port}`,
    '--state',
    join(folder, 'up'),
  ];
}

function haproxy(name: string, bufferBytes: number | undefined): Peer {
  return {
    name,
    dialect: 'none',
    needs: ['haproxy', 'mptcpize'],
    share: bufferBytes === undefined ? 1 / 4 : 1,
    multipathClients: true,
    command: ({ port, target, mptcp, folder }) => {
      const file = join(folder, `haproxy-${port}.cfg`);
      const buffers = bufferBytes === undefined ? '' : `  tune.bufsize ${bufferBytes}\n`;
      writeFileSync(
        file,
        `global\n  nbthread 1\n  maxconn 500\n${buffers}defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n` +
          `  timeout server 60s\nlisten relay\n  bind 127.0.0.1:${port}\n  server sink ${target.host}:${target.port}\n`,
      );
      return [...preload(mptcp), 'haproxy', '-db', '-f', file];
    },
  };
}

/** Makes every TCP socket of a program that knows nothing of it an MPTCP socket. */
function preload(mptcp: boolean): readonly string[] {
  return mptcp ? ['mptcpize', 'run'] : [];
}
