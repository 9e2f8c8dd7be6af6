import type { Overview } from '@manypath/core';
import type { Choice } from './choice.ts';
import type { HostState } from './host-port.ts';

/** How bad it is what {@link statusLine} says: nothing to worry about, less than there could be, or not what the switch says. */
export type Severity = 'well' | 'lesser' | 'broken';

/** Tells pages how to show the line on the state. */
export function statusSeverity(
  choice: Choice,
  host: HostState,
  overview: Overview | undefined,
  rival: string | undefined,
): Severity {
  if (rival !== undefined) return 'broken';
  if (!choice.multipath) return 'well';
  switch (host.kind) {
    case 'connecting':
      return 'well';
    case 'no-host':
    case 'wrong-version':
      return 'broken';
    case 'notice':
      return host.notice.gateway === 'away' ? 'broken' : ofGateway(overview);
  }
}

function ofGateway(overview: Overview | undefined): Severity {
  if (overview === undefined) return 'well';
  const { relay, multipath } = overview;
  if (multipath.reason === 'no-path') return 'broken';
  if (relay?.state === 'refused' || relay?.state === 'away') return 'broken';
  return multipath.command === null && relay?.state !== 'connecting' ? 'well' : 'lesser';
}
