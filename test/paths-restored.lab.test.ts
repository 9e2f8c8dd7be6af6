import { execFileSync } from 'node:child_process';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

describe.skipIf(whyNoLab())(`the host's settings${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create();
    // Something of the host's own in every table, which must survive.
    inClient('ip mptcp endpoint add 192.0.2.77 id 77 signal');
    inClient('ip mptcp limits set subflows 3 add_addr_accepted 1');
    inClient('ip rule add from 192.0.2.77 lookup 77 priority 770');
    inClient('sysctl -qw net.ipv4.conf.all.rp_filter=1');
  });
  afterAll(() => lab.destroy());

  function inClient(command: string): string {
    return execFileSync('ip', ['netns', 'exec', lab.namespaces.client, ...command.split(' ')], {
      encoding: 'utf8',
    });
  }

  function settings(): Record<string, string> {
    return {
      rules: inClient('ip rule'),
      rules6: inClient('ip -6 rule'),
      routes: inClient('ip route show table all'),
      routes6: inClient('ip -6 route show table all').replaceAll(/expires \d+sec/g, ''),
      endpoints: inClient('ip mptcp endpoint'),
      limits: inClient('ip mptcp limits'),
      sysctls: inClient('sysctl net.ipv4.conf net.ipv6.conf net.mptcp'),
    };
  }

  const up = (state: string) =>
    startManypath(['up', '--json', '--listen', '127.0.0.1:0', '--state', state], command =>
      lab.spawn('client', command),
    );

  it('are changed while the gateway runs and as before when it has ended', async () => {
    using state = temporaryFolder();
    const before = settings();
    const gateway = await up(state.path);
    const meanwhile = settings();
    expect(meanwhile.endpoints).toContain(lab.addresses.clientA);
    expect(meanwhile.endpoints).toContain(lab.addresses.clientB);
    expect(meanwhile.rules).not.toBe(before.rules);
    expect(await gateway.stop('SIGTERM')).toBe(0);
    expect(settings()).toEqual(before);
  });

  it('are restored by the next start after a kill', async () => {
    using state = temporaryFolder();
    using otherState = temporaryFolder();
    const before = settings();
    const killed = await up(state.path);
    expect(await killed.stop('SIGKILL')).toBe('SIGKILL');
    expect(settings()).not.toEqual(before);
    // Another state folder: what was left must be found all the same.
    const next = await up(otherState.path);
    await next.stop('SIGINT');
    expect(settings()).toEqual(before);
  });

  it('stay for a second gateway until that has ended too', async () => {
    using state = temporaryFolder();
    using otherState = temporaryFolder();
    const before = settings();
    const first = await up(state.path);
    const meanwhile = settings();
    const second = await up(otherState.path);
    await first.stop();
    expect(settings()).toEqual(meanwhile);
    await second.stop();
    expect(settings()).toEqual(before);
  });
});
