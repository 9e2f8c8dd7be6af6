import { release } from 'node:os';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type EndpointFlag, PathManager } from '../../src/netlink/index.ts';
import { describeLab, ipJson, makeTwoLinks, run, type TwoLinks } from './support.ts';

interface IpEndpoint {
  address: string;
  id: number;
  port?: number;
  dev?: string;
  signal?: boolean;
  subflow?: boolean;
  backup?: boolean;
  fullmesh?: boolean;
}

const knownToTool = ['signal', 'subflow', 'backup', 'fullmesh'] as const;

describeLab('endpoints and limits against the tool ip', () => {
  let links: TwoLinks;
  let manager: PathManager;

  beforeAll(() => {
    links = makeTwoLinks();
    manager = PathManager.open({ namespace: links.client });
    return () => manager.close();
  });

  afterEach(() => {
    for (const { id } of manager.endpoints()) manager.removeEndpoint(id);
  });

  const byTool = (): IpEndpoint[] => ipJson<IpEndpoint[]>(links.client, 'mptcp endpoint');

  test.each<{ address: string; id?: number; port?: number; device?: string; flags: EndpointFlag[] }>([
    { address: '10.77.1.1', flags: ['subflow'] },
    { address: '10.77.1.1', id: 7, device: 'a0', flags: ['subflow', 'backup'] },
    { address: '10.77.1.1', device: 'a0', flags: ['subflow', 'fullmesh'] },
    { address: '10.77.1.1', id: 255, port: 8443, flags: ['signal'] },
    { address: 'fd77:2::1', device: 'b0', flags: ['subflow', 'backup', 'fullmesh'] },
    { address: 'fd77:2::1', port: 256, flags: ['signal'] },
  ])('adds $address with $flags as it was meant, and removes it', spec => {
    const added = manager.addEndpoint(spec);
    expect(manager.endpoints()).toEqual([added]);
    expect(added).toMatchObject({ ...spec, port: spec.port, device: spec.device });
    const [told] = byTool();
    expect({
      address: told?.address,
      id: told?.id,
      port: told?.port,
      device: told?.dev,
      flags: knownToTool.filter(flag => told?.[flag] === true),
    }).toEqual({
      address: spec.address,
      id: added.id,
      port: spec.port,
      device: spec.device,
      flags: knownToTool.filter(flag => spec.flags.includes(flag)),
    });
    const { id: _, ...again } = spec;
    expect(() => manager.addEndpoint(again)).toThrow(
      expect.objectContaining({
        code: 'MPTCP_NETLINK_FAILED',
        errnoName: spec.port === undefined ? 'EEXIST' : 'EADDRINUSE',
      }),
    );
    manager.removeEndpoint(added.id);
    expect(manager.endpoints()).toEqual([]);
    expect(byTool()).toEqual([]);
    expect(() => manager.removeEndpoint(added.id)).toThrow(
      expect.objectContaining({
        code: 'MPTCP_NETLINK_FAILED',
        errnoName: 'EINVAL',
        kernelMessage: 'address not found',
      }),
    );
  });

  test('reads endpoints that the tool has set', () => {
    run(`ip -n ${links.client} mptcp endpoint add 10.77.2.1 id 9 dev b0 subflow backup`);
    run(`ip -n ${links.client} mptcp endpoint add fd77:1::1 id 10 port 4000 signal`);
    expect(manager.endpoints()).toEqual([
      expect.objectContaining({
        id: 9,
        family: 4,
        address: '10.77.2.1',
        device: 'b0',
        flags: ['subflow', 'backup'],
      }),
      expect.objectContaining({
        id: 10,
        family: 6,
        address: 'fd77:1::1',
        port: 4000,
        device: undefined,
        flags: ['signal'],
      }),
    ]);
    manager.removeEndpoint(9);
    manager.removeEndpoint({ id: 10 });
  });

  test('keeps the flag laminar (Linux 6.18)', () => {
    const [major = 0, minor = 0] = release().split('.').map(Number);
    const { id, flags } = manager.addEndpoint({
      address: '10.77.2.1',
      device: 'b0',
      flags: ['subflow', 'laminar'],
    });
    manager.removeEndpoint(id);
    expect(flags).toEqual(major > 6 || (major === 6 && minor >= 18) ? ['subflow', 'laminar'] : ['subflow']);
  });

  test('changes backup and fullmesh, and nothing else', () => {
    const { id } = manager.addEndpoint({ address: '10.77.2.1', device: 'b0', flags: ['subflow'] });
    const flags = (): EndpointFlag[] | undefined =>
      manager.endpoints().find(endpoint => endpoint.id === id)?.flags;
    manager.setEndpointFlags(id, ['backup']);
    expect(flags()).toEqual(['subflow', 'backup']);
    manager.setEndpointFlags(id, new Set<EndpointFlag>(['fullmesh']));
    expect(flags()).toEqual(['subflow', 'fullmesh']);
    manager.setEndpointFlags({ address: '10.77.2.1' }, []);
    expect(flags()).toEqual(['subflow']);
    manager.removeEndpoint(id);
  });

  test('takes eight endpoints and says what is wrong with the ninth', () => {
    for (let i = 1; i <= 8; i++) manager.addEndpoint({ address: `10.77.1.${100 + i}`, flags: ['subflow'] });
    expect(() => manager.addEndpoint({ address: '10.77.1.109', flags: ['subflow'] })).toThrow(
      expect.objectContaining({ code: 'MPTCP_NETLINK_FAILED', errnoName: 'ERANGE' }),
    );
  });

  test('reads and sets limits, one or both', () => {
    expect(manager.limits()).toEqual({ subflows: 2, acceptedAddresses: 0 });
    manager.setLimits({ subflows: 5, acceptedAddresses: 3 });
    expect(manager.limits()).toEqual({ subflows: 5, acceptedAddresses: 3 });
    expect(run(`ip -n ${links.client} mptcp limits`)).toMatch(/add_addr_accepted 3 subflows 5/);
    manager.setLimits({ subflows: 8 });
    manager.setLimits({ acceptedAddresses: 0 });
    expect(manager.limits()).toEqual({ subflows: 8, acceptedAddresses: 0 });
    expect(() => manager.setLimits({ subflows: 9 })).toThrow(
      expect.objectContaining({
        code: 'MPTCP_NETLINK_FAILED',
        errnoName: 'EINVAL',
        kernelMessage: expect.stringMatching(/greater than maximum/),
      }),
    );
  });

  test('refuses what no request can carry', () => {
    const wrong = expect.objectContaining({ code: 'MPTCP_NETLINK_ARGUMENT' });
    expect(() => manager.addEndpoint({ address: 'example.org', flags: [] })).toThrow(wrong);
    expect(() => manager.addEndpoint({ address: 'fe80::1%a0', flags: [] })).toThrow(wrong);
    expect(() => manager.addEndpoint({ address: '10.0.0.1', id: 256, flags: [] })).toThrow(wrong);
    expect(() => manager.addEndpoint({ address: '10.0.0.1', port: 65_536, flags: [] })).toThrow(wrong);
    expect(() => manager.addEndpoint({ address: '10.0.0.1', flags: ['fast' as EndpointFlag] })).toThrow(
      wrong,
    );
    expect(() => manager.addEndpoint({ address: '10.0.0.1', flags: [], device: 'nope' })).toThrow(
      expect.objectContaining({ code: 'MPTCP_NETLINK_FAILED', errnoName: 'ENODEV' }),
    );
    expect(manager.endpoints()).toEqual([]);
  });
});
