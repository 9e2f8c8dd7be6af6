import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '@manypath/lab';

/** What happens to the network, or to the gateway. */
export interface Fault {
  readonly name: string;
  /** Whether it is over as soon as it has happened. */
  readonly momentary: boolean;
  /** Strikes, lasts and heals. @param gateway Its process id. */
  strike(lab: Lab, milliseconds: number, gateway: number): Promise<void>;
}

/** Where the relay listens. */
const relayPort = 8443;
const links = ['a', 'b'] as const;
/** How long resets go on, in milliseconds: until subflows that are idle at first have been met, too. */
const resetMs = 200;

export const faults: readonly Fault[] = [
  { name: 'both links silent', momentary: false, strike: silence },
  { name: 'all addresses gone, new ones come', momentary: false, strike: moveAway },
  { name: 'every carrier reset', momentary: true, strike: resetCarriers },
  { name: 'gateway stopped', momentary: false, strike: stopGateway },
];

async function silence(lab: Lab, milliseconds: number): Promise<void> {
  for (const link of links) await lab.cut(link, 'blackhole');
  await sleep(milliseconds);
  for (const link of links) await lab.heal(link);
}

async function moveAway(lab: Lab, milliseconds: number): Promise<void> {
  for (const link of links) await lab.cut(link, 'address');
  await sleep(milliseconds);
  for (const link of links) {
    await lab.renumber(link);
    await lab.heal(link);
  }
}

/** As a middlebox does that has forgotten all: for a moment, whatever crosses it to or from the relay gets an RST for an answer. */
async function resetCarriers(lab: Lab): Promise<void> {
  const table = [
    'table inet reset_carriers {',
    '  chain forward {',
    '    type filter hook forward priority 0',
    `    tcp dport ${relayPort} reject with tcp reset`,
    `    tcp sport ${relayPort} reject with tcp reset`,
    '  }',
    '}',
  ];
  await lab.exec('router', ['nft', '-f', '-'], { input: `${table.join('\n')}\n` });
  await sleep(resetMs);
  await lab.exec('router', ['nft', 'delete', 'table', 'inet', 'reset_carriers']);
}

async function stopGateway(_: Lab, milliseconds: number, gateway: number): Promise<void> {
  process.kill(gateway, 'SIGSTOP');
  await sleep(milliseconds);
  process.kill(gateway, 'SIGCONT');
}
