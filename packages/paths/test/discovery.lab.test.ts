import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from '../../../test/support/requirements.ts';
import { type ClientRooms, inNamespaceOf } from './support/in-client.ts';

interface Step {
  /** Commands, as given to `ip`. */
  commands: string[];
}

interface Seen {
  paths: string[];
  endpoints: string[];
}

/** Runs a set of paths, changes the interfaces below it step by step, and tells what it held after each. */
async function follow(
  { paths, mptcp, ip, stateDir }: ClientRooms,
  { steps }: { steps: Step[] },
): Promise<Seen[]> {
  const silent = () => {};
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  const set = await paths.PathSet.open({ stateDir: stateDir(), logger });
  const manager = mptcp.PathManager.open();
  const seen: Seen[] = [];
  try {
    for (const { commands } of steps) {
      for (const command of commands) ip(command);
      const state = () => ({
        paths: set
          .current()
          .map(({ name, addresses }) => `${name} ${addresses.map(({ address }) => address)}`),
        endpoints: manager.endpoints().map(({ address, device }) => `${device} ${address}`),
      });
      // What is there when nothing has changed for as long as anything may take.
      let last = '';
      for (let same = 0; same < 6; ) {
        await new Promise(resolve => setTimeout(resolve, 50));
        const now = JSON.stringify(state());
        same = now === last ? same + 1 : 0;
        last = now;
      }
      seen.push(JSON.parse(last) as Seen);
    }
  } finally {
    manager.close();
    await set.close();
  }
  return seen;
}

const why = whyNoLab();
describe.skipIf(why)(`discovering paths${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let before: string[];
  beforeAll(async () => {
    lab = await Lab.create();
    before = lab.links.map(({ device }) => device);
  });
  afterAll(() => lab.destroy());

  const added = (seen: Seen | undefined): string[] =>
    (seen?.paths ?? []).filter(path => !before.some(device => path.startsWith(`${device} `)));
  /** Commands that make a link to a router of its own, which answers: one to nobody is soon dead, and not for the kernel. */
  const linkTo = (name: string, router: string): string[] => {
    const far = `-n ${lab.namespaces.router}`;
    return [
      `link add ${name}0 type veth peer name ${name}1 netns ${lab.namespaces.router}`,
      `${far} addr add ${router} dev ${name}1${router.includes(':') ? ' nodad' : ''}`,
      `${far} link set ${name}1 up`,
      `link set ${name}0 up`,
    ];
  };
  const endpointsOf = (seen: Seen | undefined, device: string): string[] =>
    (seen?.endpoints ?? []).filter(endpoint => endpoint.startsWith(`${device} `));

  it('takes a link for a path when its address and its route have come, however late, and no longer when they go', async () => {
    const steps = [
      { commands: linkTo('late', '10.99.1.1/24') },
      { commands: ['addr add 10.99.1.2/24 dev late0'] },
      { commands: ['route add default via 10.99.1.1 dev late0 metric 700'] },
      { commands: [`-n ${lab.namespaces.router} link set late1 down`] },
      { commands: [`-n ${lab.namespaces.router} link set late1 up`] },
      { commands: ['addr del 10.99.1.2/24 dev late0'] },
      { commands: ['link del late0'] },
    ];
    const seen = await inNamespaceOf(lab, follow, { steps });
    const late = ['late0 10.99.1.2'];
    expect(seen.map(added)).toEqual([[], [], late, [], late, [], []]);
    expect(seen.map(state => endpointsOf(state, 'late0'))).toEqual([[], [], late, [], late, [], []]);
  });

  it('keeps two links of one network apart', async () => {
    const steps = ['one', 'two'].map((name, index) => ({
      commands: [
        ...linkTo(name, '10.99.2.1/32'),
        `-n ${lab.namespaces.router} route add 10.99.2.${index + 2} dev ${name}1`,
        `addr add 10.99.2.${index + 2}/24 dev ${name}0`,
        `route add default via 10.99.2.1 dev ${name}0 metric ${800 + index}`,
      ],
    }));
    const seen = await inNamespaceOf(lab, follow, {
      steps: [...steps, { commands: ['link del one0'] }, { commands: ['link del two0'] }],
    });
    const [one, two] = ['one0 10.99.2.2', 'two0 10.99.2.3'];
    expect(seen.map(added)).toEqual([[one], [one, two], [two], []]);
    expect(seen[0]?.endpoints).toContain(one);
    expect(seen[1]?.endpoints).toContain(two);
  });

  it('begins from one IPv6 address of a link, and knows the others', async () => {
    const steps = [
      {
        commands: [
          ...linkTo('six', '2001:db8:99::1/64'),
          'addr add fd00:99::5/64 dev six0 nodad',
          'addr add 2001:db8:99::5/64 dev six0 nodad',
          'addr add 2001:db8:99::9/64 dev six0 nodad preferred_lft 0',
          '-6 route add default via 2001:db8:99::1 dev six0 metric 900',
        ],
      },
      { commands: ['link del six0'] },
    ];
    const [with6] = await inNamespaceOf(lab, follow, { steps });
    expect(added(with6)).toEqual(['six0 2001:db8:99::5,fd00:99::5,2001:db8:99::9']);
    expect(endpointsOf(with6, 'six0')).toEqual(['six0 2001:db8:99::5']);
  });

  it('leaves a VPN alone, even one that takes all traffic', async () => {
    const steps = [
      {
        commands: [
          'tuntap add dev work mode tun',
          'link set work up',
          'addr add 10.99.3.2/24 dev work',
          'route add default via 10.99.3.1 dev work metric 1',
        ],
      },
      { commands: ['link del work'] },
    ];
    const seen = await inNamespaceOf(lab, follow, { steps });
    expect(seen.map(added)).toEqual([[], []]);
    expect(seen[0]?.paths).toHaveLength(before.length);
  });
});
