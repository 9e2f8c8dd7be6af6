import { multipathAdvice, type Overview, waitingWords } from '@manypath/core';
import type { Choice } from './choice.ts';
import type { HostState } from './host-port.ts';

/** How things are, in one sentence, and what to do where something is to be done. */
export function statusLine(
  choice: Choice,
  host: HostState,
  overview: Overview | undefined,
  rival: string | undefined,
): string {
  if (rival !== undefined) return `The proxy of this browser is set by ${rival}: the switch has no effect.`;
  if (!choice.multipath) return 'Off: this browser connects as without Manypath.';
  const meanwhile =
    choice.whenGone === 'open' ? 'browsing goes straight out' : 'browsing is blocked, as you chose';
  switch (host.kind) {
    case 'connecting':
      return 'Looking for the gateway …';
    case 'no-host':
      return `Manypath is not connected to this browser (${host.reason}): run "manypath install"; ${meanwhile}.`;
    case 'wrong-version':
      return `This extension and Manypath ${host.version} do not understand each other: update the older one.`;
    case 'notice':
      if (host.notice.gateway === 'away')
        return `The gateway is not running: ${meanwhile}. Start it with "manypath up".`;
      return withGateway(overview);
  }
}

function withGateway(overview: Overview | undefined): string {
  if (overview === undefined) return 'The gateway is running.';
  const { relay, multipath } = overview;
  if (relay !== null && relay.waiting !== null) return `${waitingWords(relay.waiting)}: nothing is lost.`;
  if (relay?.state === 'connecting') return `Connecting to the relay ${relay.address} …`;
  if (relay !== null && relay.state !== 'ready')
    return `The relay ${relay.address} is ${relay.state}${relay.reason === null ? '' : `: ${relay.reason}`}.`;
  return multipathAdvice(multipath);
}
