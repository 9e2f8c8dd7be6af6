import { unitWord } from './quoting.ts';

/** Name of the unit of the daemon. */
export const unitName = 'manypath.service';

/** By which a unit is known to be ours. */
export const unitMark = '# Runs the gateway of Manypath.';

/**
 * The unit that runs the gateway for one user, in the user's own manager.
 *
 * Only restrictions that need neither root nor a user namespace: folders of the system are not hidden, since user
 * managers can do that only inside a user namespace, which many systems refuse.
 */
export function serviceUnit({ command }: { command: readonly string[] }): string {
  return `${unitMark} \`manypath install\` writes such a unit, \`manypath uninstall\` removes it.
[Unit]
Description=Manypath: multipath TCP for browsers

[Service]
ExecStart=${command.map(unitWord).join(' ')}
Restart=on-failure
RestartSec=2

# It needs no rights: what does is the helper's, a unit of the system.
NoNewPrivileges=yes
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

[Install]
WantedBy=default.target
`;
}
