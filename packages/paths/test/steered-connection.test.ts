import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { SimulatedClock } from '@manypath/core';
import type { SocketInfo, SubflowInfo } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import type { PathOutlook } from '../src/index.ts';
import { SteeredConnection } from '../src/steering/steered-connection.ts';
import type { NewSubflow, SteeringRights, SubflowEnd } from '../src/steering/steering-rights.ts';
import { outlook, pathNamed } from './support/outlooks.ts';

const relay4 = { address: '203.0.113.1', port: 443 };
const relay6 = { address: '2001:db8::1', port: 443 };
const alike = { rttMs: 20, downMbps: 20, upMbps: 20 };

/** A connection whose kernel is this class: subflows appear when they are created, and go when they are closed. */
class Stage implements SteeringRights {
  readonly isThere = true;
  readonly clock = new SimulatedClock();
  readonly done: string[] = [];
  readonly told: string[] = [];
  readonly subflows: (SubflowInfo & { device: string })[] = [];
  outlooks: PathOutlook[];
  /** Whether what is created is established at once. */
  answers = true;
  bytesReceived = 0;
  readonly #socket: EventEmitter & { localAddress: string; localPort: number; destroyed: boolean };
  #ports = 5000;

  constructor(outlooks: PathOutlook[], firstAddress: string, firstRemote = relay4) {
    this.outlooks = outlooks;
    const local = { address: firstAddress.replace('::ffff:', ''), port: this.#ports };
    const device = outlooks[0]?.path.name ?? '';
    this.subflows.push(subflow(local, firstRemote, device));
    this.#socket = Object.assign(new EventEmitter(), {
      localAddress: firstAddress,
      localPort: this.#ports,
      destroyed: false,
    });
  }

  begin(remotes = [relay4]): SteeredConnection {
    return new SteeredConnection(this.#socket as unknown as Socket, remotes, {
      rights: this,
      outlooks: () => this.outlooks,
      pathOf: ({ local }) =>
        this.subflows.find(one => one.local.port === local.port && one.local.address === local.address)
          ?.device,
      isInUse: () => true,
      onDoubt: path => this.told.push(`doubt ${path}`),
      onStall: path => this.told.push(`stall ${path}`),
      onAlive: () => {},
      onCarried: (path, { downMbps }) => {
        if (downMbps > 0) this.told.push(`carried ${path} ${downMbps.toFixed(0)}`);
      },
      logger: { debug() {}, info() {}, warn() {} },
      clock: this.clock,
      read: () => this.#info(),
    });
  }

  /** Lets time pass, and what falls due be done. */
  async pass(milliseconds: number, step: () => void = () => {}): Promise<void> {
    for (let past = 0; past < milliseconds; past += 30) {
      step();
      this.clock.advance(30);
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  on(device: string): (SubflowInfo & { device: string }) | undefined {
    return this.subflows.find(one => one.device === device && one.state === 'established');
  }

  openSocket(): Promise<number> {
    throw new Error('not here');
  }

  async createSubflow({ localAddress, localId, device, remote, backup }: NewSubflow): Promise<void> {
    this.done.push(`create ${device} id ${localId} to ${remote.address}${backup ? ' backup' : ''}`);
    if (!this.answers) return;
    this.#ports += 1;
    this.subflows.push(subflow({ address: localAddress, port: this.#ports }, remote, device));
  }

  async destroySubflow(_: number, { local }: SubflowEnd): Promise<void> {
    this.done.push(`destroy ${local.address}`);
    const index = this.subflows.findIndex(one => one.local.port === local.port);
    if (index >= 0) this.subflows.splice(index, 1);
  }

  async removeAddress(_: number, localId: number): Promise<void> {
    this.done.push(`remove ${localId}`);
  }

  async setBackup(_: number, { local }: SubflowEnd, backup: boolean): Promise<void> {
    this.done.push(`${backup ? 'backup' : 'active'} ${local.address}`);
  }

  close(): void {}

  #info(): SocketInfo {
    return {
      protocol: 'mptcp',
      multipath: true,
      reason: 'multipath',
      token: 7,
      subflowCount: this.subflows.length,
      flags: { fallback: false, remoteKeyReceived: true, checksum: false },
      bytesSent: 0,
      bytesReceived: this.bytesReceived,
      bytesAcked: 0,
      bytesRetransmitted: 0,
      retransmits: 0,
      subflows: this.subflows,
    };
  }
}

function subflow(local: SubflowEnd['local'], remote: SubflowEnd['remote'], device: string) {
  const figures = { rttMs: 20, rttVarianceMs: 2, unacknowledged: 0, bytesAcked: 0, bytesReceived: 0 };
  const rest = { state: 'established', segmentSize: 1400, lastDataReceivedMs: 0 };
  return { local, remote, device, ...figures, ...rest } as unknown as SubflowInfo & { device: string };
}

const address = (name: string, family: 4 | 6 = 4) =>
  pathNamed(name, [4, 6]).addresses.find(one => one.family === family)?.address ?? '';

describe('a steered connection', () => {
  it('has a subflow on every willing path, active where the paths are alike and backup where nothing is known', async () => {
    const known = new Stage([outlook('a', alike), outlook('b', alike)], address('a'));
    known.begin();
    await known.pass(60);
    expect(known.done).toEqual(['create b id 1 to 203.0.113.1']);
    const unknown = new Stage([outlook('a'), outlook('b'), outlook('c', { tier: 'never' })], address('a'));
    unknown.begin();
    await unknown.pass(60);
    expect(unknown.done).toEqual(['create b id 1 to 203.0.113.1 backup']);
  });

  it('tells how much each path carries', async () => {
    const stage = new Stage([outlook('a', alike), outlook('b', alike)], address('a'));
    const connection = stage.begin();
    await stage.pass(60);
    connection.wake();
    await stage.pass(2200, () => {
      for (const one of stage.subflows) Object.assign(one, { bytesReceived: one.bytesReceived + 75_000 });
      stage.bytesReceived += 150_000;
    });
    expect(stage.told.slice(-2)).toEqual(['carried a 20', 'carried b 20']);
  });

  it('leaves a path that is dead: the other side is told over another one', async () => {
    const stage = new Stage([outlook('a', alike), outlook('b', alike)], address('a'));
    const connection = stage.begin();
    await stage.pass(60);
    stage.outlooks = [outlook('a', { ...alike, health: 'dead' }), outlook('b', alike)];
    await connection.look();
    expect(stage.done.slice(1)).toEqual(['remove 0', `destroy ${address('a')}`]);
    expect(stage.on('a')).toBeUndefined();
    expect(stage.on('b')).toBeDefined();
  });

  it('takes a silent subflow off, has its path asked, and joins again later', async () => {
    const stage = new Stage([outlook('a', alike), outlook('b', alike)], address('a'));
    const connection = stage.begin();
    await stage.pass(60);
    connection.wake();
    const quiet = stage.on('b');
    Object.assign(quiet ?? {}, { unacknowledged: 4 });
    await stage.pass(600, () => {
      const other = stage.on('a');
      if (other !== undefined) other.bytesAcked += 10_000;
    });
    expect(stage.told).toEqual(expect.arrayContaining(['doubt b', 'stall b']));
    expect(stage.done).toContain(`destroy ${address('b')}`);
    await stage.pass(3000);
    expect(stage.on('b')).toBeDefined();
  });

  it('is never left without a subflow, though all are silent', async () => {
    const stage = new Stage([outlook('a', alike), outlook('b', alike)], address('a'));
    stage.begin();
    await stage.pass(60);
    for (const one of stage.subflows) Object.assign(one, { unacknowledged: 4 });
    await stage.pass(2000);
    expect(stage.subflows.length).toBeGreaterThan(0);
  });

  it('joins a path of the other family by another address, where the socket takes both', async () => {
    const outlooks = [outlook('a', alike), outlook('b', { ...alike, path: pathNamed('b', [6]) })];
    const single = new Stage(outlooks, address('a'));
    single.begin([relay4, relay6]);
    await single.pass(60);
    expect(single.done).toEqual([]);
    const both = new Stage(outlooks, `::ffff:${address('a')}`);
    const connection = both.begin([relay4, relay6]);
    await both.pass(60);
    expect(both.done).toEqual(['create b id 1 to 2001:db8::1']);
    // The kernel finds the first subflow by what its socket has.
    both.outlooks = [outlook('a', { ...alike, health: 'dead' }), ...outlooks.slice(1)];
    await connection.look();
    expect(both.done).toContain(`destroy ::ffff:${address('a')}`);
  });

  it('tries another address ever more seldom, and the dialled one each second', async () => {
    const outlooks = [outlook('a', alike), outlook('b', { ...alike, path: pathNamed('b', [6]) })];
    const other = new Stage(outlooks, `::ffff:${address('a')}`);
    other.answers = false;
    other.begin([relay4, relay6]);
    await other.pass(60_000);
    expect(other.done.length).toBeLessThan(8);
    const dialled = new Stage([outlook('a', alike), outlook('b', alike)], address('a'));
    dialled.answers = false;
    dialled.begin();
    await dialled.pass(60_000);
    expect(dialled.done.length).toBeGreaterThan(20);
  });

  it('numbers one address on two paths as the kernel takes it, and withdraws none that is still used', async () => {
    const twin = (name: string, index: number) =>
      outlook(name, { ...alike, path: { ...pathNamed('a'), name, index } });
    const stage = new Stage([twin('a', 1), twin('b', 2)], address('a'));
    const connection = stage.begin();
    await stage.pass(60);
    expect(stage.done).toEqual(['create b id 1 to 203.0.113.1']);
    stage.outlooks = [{ ...twin('a', 1), health: 'dead' }, twin('b', 2)];
    await connection.look();
    expect(stage.done.slice(1)).toEqual(['remove 0', `destroy ${address('a')}`]);
    stage.outlooks = [twin('a', 1), twin('b', 2)];
    await connection.look();
    expect(stage.done.slice(3)).toEqual(['create a id 1 to 203.0.113.1']);
    stage.outlooks = [twin('a', 1), { ...twin('b', 2), health: 'dead' }];
    await connection.look();
    expect(stage.done.slice(4)).toEqual([`destroy ${address('a')}`]);
    expect(stage.on('a')).toBeDefined();
  });

  it('has no subflow where only small packets pass, unless there is no other path', async () => {
    const stage = new Stage(
      [outlook('a', alike), outlook('b', { ...alike, takesSmallOnly: true })],
      address('a'),
    );
    stage.begin();
    await stage.pass(3000);
    expect(stage.done).toEqual([]);
    const only = new Stage(
      [outlook('a', { ...alike, takesSmallOnly: true }), outlook('b', { ...alike, takesSmallOnly: true })],
      address('a'),
    );
    only.begin();
    await only.pass(60);
    expect(only.done).toEqual(['create b id 1 to 203.0.113.1']);
  });
});
