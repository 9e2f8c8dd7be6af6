import type { PathStatus } from './path-status.ts';

/**
 * Why connections use several paths, or do not. The first that fits counts.
 *
 * | reason | meaning |
 * |---|---|
 * | `no-path` | nothing leads out of this host |
 * | `switched-off` | `net.mptcp.enabled` is 0 |
 * | `kernel-without-mptcp` | this kernel has no Multipath TCP |
 * | `blocked` | a security policy forbids its sockets |
 * | `one-path` | there is no second path that may be used |
 * | `no-rights` | nobody may set paths up: neither this process nor a helper, and nobody else did |
 * | `relay-away` | there is a relay, and no lane to it now |
 * | `relay-plain` | the relay answers, but without Multipath TCP: its host has it off, or something on the way removes it |
 * | `one-subflow` | the relay speaks it, and only one path carries anything so far |
 * | `no-relay` | works with origins that speak it themselves |
 * | `multipath` | works |
 */
export type MultipathReason =
  | 'no-path'
  | 'switched-off'
  | 'kernel-without-mptcp'
  | 'blocked'
  | 'one-path'
  | 'no-rights'
  | 'relay-away'
  | 'relay-plain'
  | 'one-subflow'
  | 'no-relay'
  | 'multipath';

/** How connections use the paths of this host, as all who show it say it. */
export interface MultipathUse {
  readonly reason: MultipathReason;
  /** Names of the paths that carry subflows; where none can be seen yet, of those that one connection could use. */
  readonly paths: readonly string[];
  /** One sentence, that fits into a line of a terminal. */
  readonly text: string;
  /** The command that mends it; `null` when none does, or nothing is to be mended. */
  readonly command: string | null;
}

/** What {@link judgeMultipath} looks at. */
export interface MultipathFacts {
  /** Whether the kernel gives Multipath TCP sockets to this process, or why not. */
  readonly kernel: 'works' | 'switched-off' | 'kernel-without-mptcp' | 'blocked';
  /** Whether subflows can be made over every path: by this process, or by the helper. */
  readonly rights: boolean;
  readonly paths: readonly Pick<PathStatus, 'name' | 'up' | 'carrier' | 'health' | 'tier' | 'endpoint'>[];
  /** `null` when no relay is configured. */
  readonly relay: {
    readonly ready: boolean;
    /** What happens to connections while it is not. */
    readonly failover: 'refuse' | 'straight';
    /** `paths`: names of those that their subflows are on. */
    readonly lanes: readonly { readonly mptcp: boolean; readonly paths: readonly string[] }[];
  } | null;
}

/** Judges how the paths of a host are used. */
export function judgeMultipath({ kernel, rights, paths, relay }: MultipathFacts): MultipathUse {
  const usable = paths.filter(isUsable);
  const names = usable.map(({ name }) => name);
  const [first] = names;
  if (first === undefined) return said('no-path', [], 'No path leads out of this machine.');
  const single = [first];
  if (kernel !== 'works') return said(kernel, single, `One path at a time: ${kernelTexts[kernel]}.`);
  if (names.length === 1) return said('one-path', names, `One path: ${first}.`);
  const joinable = usable.filter(({ name, endpoint }) => rights || endpoint || name === first);
  if (joinable.length === 1) {
    return said('no-rights', single, 'One path at a time: joining paths needs rights, and no helper runs.');
  }
  const all = joinable.map(({ name }) => name);
  if (relay === null) {
    const text = `No relay: sites that speak Multipath TCP use ${all.length} paths, all others one.`;
    return said('no-relay', all, text);
  }
  if (!relay.ready || relay.lanes.length === 0) return said('relay-away', all, awayTexts[relay.failover]);
  const lanes = relay.lanes.filter(({ mptcp }) => mptcp);
  if (lanes.length === 0) {
    const text = 'One path at a time: Multipath TCP is off at the relay, or removed on the way.';
    return said('relay-plain', single, text);
  }
  const underSubflows = new Set(lanes.flatMap(lane => lane.paths));
  const carrying = usable.filter(({ name }) => underSubflows.has(name));
  if (carrying.length < 2) {
    const name = carrying[0]?.name ?? first;
    return said('one-subflow', [name], `One path so far: ${name}; the others have not joined.`);
  }
  const used = carrying.map(({ name }) => name);
  return said('multipath', used, `${used.length} paths are in use: ${listed(used)}.`);
}

/** Whether multipath will not come by itself: somebody has to do something, or do without. */
export function isHindrance(reason: MultipathReason): boolean {
  return hindrances.has(reason);
}

const hindrances: ReadonlySet<MultipathReason> = new Set([
  'switched-off',
  'kernel-without-mptcp',
  'blocked',
  'no-rights',
  'relay-plain',
] as const);

/** The sentence, and what to run. */
export function multipathAdvice({ text, command }: Pick<MultipathUse, 'text' | 'command'>): string {
  return command === null ? text : `${text} To use all: ${command}`;
}

const awayTexts = {
  refuse: 'The relay is not reached now: connections are refused meanwhile.',
  straight: 'The relay is not reached now: connections go straight, over one path each.',
} as const;

const kernelTexts = {
  'switched-off': 'Multipath TCP is switched off in this kernel',
  'kernel-without-mptcp': 'this kernel has no Multipath TCP (Linux 5.6 or later has)',
  blocked: 'a security policy forbids Multipath TCP here',
} as const;

const commands: Partial<Record<MultipathReason, string>> = {
  'switched-off': 'sudo sysctl -w net.mptcp.enabled=1',
  'no-rights': 'sudo manypath helper',
};

function said(reason: MultipathReason, paths: readonly string[], text: string): MultipathUse {
  return { reason, paths, text, command: commands[reason] ?? null };
}

function isUsable({ up, carrier, health, tier }: MultipathFacts['paths'][number]): boolean {
  return up && carrier && health !== 'dead' && health !== 'captive' && tier !== 'never';
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
