import { unitWord } from './quoting.ts';
import { systemGuards } from './service-unit.ts';

/** Names of the units of the helper. */
export const helperServiceName = 'manypath-helper.service';
export const helperSocketName = 'manypath-helper.socket';

/** By which a unit of the helper is known to be ours. */
export const helperUnitMark = '# The privileged helper of Manypath.';

/** Where the helper keeps its journal. */
export const helperStateDir = '/var/lib/manypath-helper';

/** The service of the helper, started when somebody connects to its socket. @param command Up to its options. */
export function helperService({ command, version }: { command: readonly string[]; version: string }): string {
  return `${helperUnitMark} Version ${version}. \`manypath install --helper\` writes such a unit.
[Unit]
Description=Privileged helper of Manypath
Requires=${helperSocketName}
After=network.target

[Service]
ExecStart=${command.map(unitWord).join(' ')}
StateDirectory=manypath-helper
RuntimeDirectory=manypath
RuntimeDirectoryPreserve=yes
Restart=on-failure
RestartSec=2

# The one right it needs. It stays root for the sysctls below /proc/sys/net/mptcp, with no other capability.
CapabilityBoundingSet=CAP_NET_ADMIN
AmbientCapabilities=CAP_NET_ADMIN
${systemGuards}# Not ProtectKernelTunables: the path manager is chosen by a sysctl.

[Install]
Also=${helperSocketName}
`;
}

/** The socket of the helper. */
export function helperSocket({ version }: { version: string }): string {
  return `${helperUnitMark} Version ${version}. \`manypath install --helper\` writes such a unit.
[Unit]
Description=Socket of the privileged helper of Manypath

[Socket]
ListenStream=/run/manypath/helper.sock
# Everybody may connect; the helper asks the kernel who it is.
SocketMode=0666
DirectoryMode=0755

[Install]
WantedBy=sockets.target
`;
}
