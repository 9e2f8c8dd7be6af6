import { unitWord } from './quoting.ts';
import { systemGuards } from './service-unit.ts';

/** Name of the unit of the relay. */
export const relayUnitName = 'manypath-relay.service';

/** By which a unit of the relay is known to be ours. */
export const relayUnitMark = '# The relay of Manypath.';

/** Where the relay that is installed keeps its key and secret. systemd puts the user of the unit in between. */
export const relayStateDir = '/var/lib/manypath-relay';

/** What ending takes beyond that, in seconds. */
const stopSeconds = 15;

export interface RelayUnitOptions {
  /** What starts the relay, with its options. */
  readonly command: readonly string[];
  /** More options, in which the specifiers of systemd.unit(5) are meant. */
  readonly more: readonly string[];
  /** Where it listens: below 1024 that takes a right. */
  readonly port: number;
  /** A certificate and its key, which only root may be able to read. */
  readonly credentials: readonly { readonly name: string; readonly file: string }[];
  readonly version: string;
  /** How long it lets connections go on when it is to end, in seconds. */
  readonly drainSeconds: number;
}

/**
 * The unit that runs the relay, as a user of its own that exists while it runs.
 *
 * Of the rights of root it has the one to set the limits of Multipath TCP and the size of receive buffers.
 */
export function relayUnit({
  command,
  more,
  port,
  credentials,
  version,
  drainSeconds,
}: RelayUnitOptions): string {
  const rights = ['CAP_NET_ADMIN', ...(port > 0 && port < 1024 ? ['CAP_NET_BIND_SERVICE'] : [])].join(' ');
  return `${relayUnitMark} Version ${version}. \`manypath relay install\` writes such a unit, \`manypath relay uninstall\` removes it.
[Unit]
Description=Relay of Manypath
Wants=network-online.target
After=network-online.target
# Tried again for ever: it may be alone with the task, and on a machine that nobody watches.
StartLimitIntervalSec=0

[Service]
ExecStart=${[...command.map(unitWord), ...more].join(' ')}
DynamicUser=yes
StateDirectory=manypath-relay
StateDirectoryMode=0700
${credentials.map(({ name, file }) => `LoadCredential=${unitWord(`${name}:${file}`)}\n`).join('')}Restart=always
RestartSec=2
TimeoutStopSec=${Math.ceil(drainSeconds) + stopSeconds}
LimitNOFILE=65536
# What it prints is its pairing, a secret, and the journal is no place for one: manypath relay pairing
StandardOutput=null

CapabilityBoundingSet=${rights}
AmbientCapabilities=${rights}
${systemGuards}ProtectKernelTunables=yes
ProtectProc=invisible

[Install]
WantedBy=multi-user.target
`;
}
