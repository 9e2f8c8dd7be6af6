/**
 * Why a connection is multipath, or is not.
 *
 * | reason | meaning |
 * |---|---|
 * | `multipath` | it is Multipath TCP, with one subflow or more |
 * | `not-requested` | nobody asked for it: `mptcp: false`, or a socket made elsewhere |
 * | `unsupported-platform` | not Linux, or koffi is missing |
 * | `kernel-without-mptcp` | socket(2): EPROTONOSUPPORT or EINVAL (Linux before 5.6, or built without) |
 * | `switched-off` | socket(2): ENOPROTOOPT (`net.mptcp.enabled` is 0 in this network namespace) |
 * | `blocked` | socket(2): EACCES or EPERM (SELinux, Landlock, seccomp, eBPF) |
 * | `peer-refused` | the other side, or something on the way, answered without Multipath TCP (RFC 8684 §3.1, §3.7) |
 * | `fallback` | it was Multipath TCP, and went on as TCP (RFC 8684 §3.7) |
 * | `closed` | the socket is closed; the rest is what was last seen |
 */
export type InfoReason =
  | 'multipath'
  | 'not-requested'
  | 'unsupported-platform'
  | 'kernel-without-mptcp'
  | 'switched-off'
  | 'blocked'
  | 'peer-refused'
  | 'fallback'
  | 'closed';

const texts: Record<InfoReason, string> = {
  multipath: 'The connection is Multipath TCP.',
  'not-requested': 'Multipath TCP was not asked for on this connection.',
  'unsupported-platform': 'Multipath TCP needs Linux with the koffi package; this is plain TCP.',
  'kernel-without-mptcp':
    'This kernel has no Multipath TCP (Linux 5.6 or newer with CONFIG_MPTCP is needed).',
  'switched-off': 'Multipath TCP is switched off here: run "sysctl net.mptcp.enabled=1" to allow it.',
  blocked: 'A security policy (SELinux, seccomp, eBPF or Landlock) forbids Multipath TCP sockets here.',
  'peer-refused': 'The other side, or a middlebox on the way, does not speak Multipath TCP.',
  fallback: 'The connection began as Multipath TCP and fell back to plain TCP on the way.',
  closed: 'The connection is closed.',
};

/** One sentence for people about `reason`. */
export function reasonText(reason: InfoReason): string {
  return texts[reason];
}

const refusals: Record<string, InfoReason> = {
  EPROTONOSUPPORT: 'kernel-without-mptcp',
  EINVAL: 'kernel-without-mptcp',
  ENOPROTOOPT: 'switched-off',
  EACCES: 'blocked',
  EPERM: 'blocked',
};

/** What it means that socket(2) refused IPPROTO_MPTCP with `errnoName`; `undefined` when it is about something else (EMFILE …). */
export function refusalReason(errnoName: string): InfoReason | undefined {
  return refusals[errnoName];
}
