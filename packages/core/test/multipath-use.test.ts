import { describe, expect, it } from 'vitest';
import { isHindrance, judgeMultipath, type MultipathFacts, multipathAdvice } from '../src/index.ts';

const path = (name: string, about: object = {}) => ({
  name,
  up: true,
  carrier: true,
  health: 'up' as const,
  tier: 'primary' as const,
  endpoint: false,
  ...about,
});
const wifi = path('wlan0');
const modem = path('wwan0');
const lane = (mptcp: boolean, ...paths: string[]) => ({ mptcp, paths });
const both = lane(true, 'wlan0', 'wwan0');

const judged = (facts: Partial<MultipathFacts>) =>
  judgeMultipath({
    kernel: 'works',
    rights: true,
    paths: [wifi, modem],
    relay: { ready: true, failover: 'refuse', lanes: [both] },
    ...facts,
  });

describe('how the paths are used', () => {
  it('is together where lanes have subflows on them', () => {
    expect(judged({})).toMatchObject({ reason: 'multipath', paths: ['wlan0', 'wwan0'], command: null });
  });

  it('is what carries, not what is healthy', () => {
    expect(
      judged({ relay: { ready: true, failover: 'refuse', lanes: [lane(true, 'wwan0')] } }),
    ).toMatchObject({
      reason: 'one-subflow',
      paths: ['wwan0'],
    });
  });

  it('is one path while Multipath TCP is off, whatever else stands well', () => {
    const use = judged({
      kernel: 'switched-off',
      relay: { ready: true, failover: 'refuse', lanes: [lane(false, 'wlan0')] },
    });
    expect(use).toMatchObject({ reason: 'switched-off', paths: ['wlan0'] });
    expect(multipathAdvice(use)).toContain('sysctl -w net.mptcp.enabled=1');
  });

  it.each(['kernel-without-mptcp', 'blocked'] as const)('is one path where the kernel says %s', kernel => {
    expect(judged({ kernel, relay: null })).toMatchObject({
      reason: kernel,
      paths: ['wlan0'],
      command: null,
    });
  });

  it('is one path for a user without rights, who is told the one command', () => {
    const use = judged({ rights: false });
    expect(use).toMatchObject({ reason: 'no-rights', paths: ['wlan0'], command: 'sudo manypath helper' });
    expect(judged({ rights: false, relay: null })).toEqual(use);
  });

  it('needs no rights where somebody else has set endpoints up', () => {
    const paths = [wifi, { ...modem, endpoint: true }];
    expect(judged({ rights: false, paths })).toMatchObject({ reason: 'multipath' });
  });

  it('is one path where the relay, or something before it, answers with plain TCP', () => {
    const lanes = [lane(false, 'wlan0'), lane(false, 'wwan0')];
    expect(judged({ relay: { ready: true, failover: 'refuse', lanes } })).toMatchObject({
      reason: 'relay-plain',
      paths: ['wlan0'],
    });
  });

  it('counts no path that is dead, off, or not to be used', () => {
    for (const about of [
      { health: 'dead' },
      { health: 'captive' },
      { tier: 'never' },
      { carrier: false },
      { up: false },
    ]) {
      expect(judged({ paths: [wifi, { ...modem, ...about } as typeof modem] })).toMatchObject({
        reason: 'one-path',
        paths: ['wlan0'],
      });
    }
    expect(judged({ paths: [] })).toMatchObject({ reason: 'no-path', paths: [] });
  });

  it('says that without a relay it depends on the site', () => {
    expect(judged({ relay: null })).toMatchObject({ reason: 'no-relay', paths: ['wlan0', 'wwan0'] });
  });

  it('waits for a relay that is away', () => {
    expect(judged({ relay: { ready: false, failover: 'straight', lanes: [] } })).toMatchObject({
      reason: 'relay-away',
    });
  });

  it('is hindered where it will not come by itself', () => {
    for (const reason of [
      'switched-off',
      'kernel-without-mptcp',
      'blocked',
      'no-rights',
      'relay-plain',
    ] as const) {
      expect(isHindrance(reason)).toBe(true);
    }
    for (const reason of [
      'multipath',
      'one-subflow',
      'relay-away',
      'no-relay',
      'one-path',
      'no-path',
    ] as const) {
      expect(isHindrance(reason)).toBe(false);
    }
  });

  it('fits into a line of a terminal', () => {
    const kernels = ['works', 'switched-off', 'kernel-without-mptcp', 'blocked'] as const;
    const relays = [
      null,
      { ready: false, failover: 'refuse', lanes: [] },
      { ready: false, failover: 'straight', lanes: [] },
      { ready: true, failover: 'refuse', lanes: [lane(false)] },
    ] as const;
    for (const kernel of kernels) {
      for (const relay of relays) {
        for (const rights of [true, false]) {
          expect(judged({ kernel, relay, rights }).text.length).toBeLessThanOrEqual(80);
        }
      }
    }
  });
});
