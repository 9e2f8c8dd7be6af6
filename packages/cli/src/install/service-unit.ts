import { unitWord } from './quoting.ts';

/** Name of the unit of the daemon. */
export const unitName = 'manypath.service';

/** By which a unit is known to be ours. */
export const unitMark = '# Runs the gateway of Manypath.';

/** What units may not do, whoever runs them; only restrictions that need neither root nor a user namespace. */
export const serviceGuards = `NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
# Not MemoryDenyWriteExecute: V8 compiles to memory.
`;

/** What units of the system may not do beside that: it takes root to keep it from them. */
export const systemGuards = `${serviceGuards}ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
`;

/**
 * The unit that runs the gateway for one user, in the user's own manager. Folders of the system are not hidden, since user managers can
 * do that only inside a user namespace, which many systems refuse.
 *
 * @param version Of the program: a unit that changed is started again, so that an upgrade takes effect.
 */
export function serviceUnit({ command, version }: { command: readonly string[]; version: string }): string {
  return `${unitMark} Version ${version}. \`manypath install\` writes such a unit, \`manypath uninstall\` removes it.
[Unit]
Description=Manypath: multipath TCP for browsers

[Service]
ExecStart=${command.map(unitWord).join(' ')}
Restart=on-failure
RestartSec=2

# It needs no rights: what does is the helper's, a unit of the system.
${serviceGuards}
[Install]
WantedBy=default.target
`;
}
