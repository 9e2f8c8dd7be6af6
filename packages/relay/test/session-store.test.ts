import { SimulatedClock } from '@manypath/core';
import { type CarrierSink, Session, type TunnelUser } from '@manypath/session';
import { describe, expect, it } from 'vitest';
import { type RelayLimits, relayLimits } from '../src/limits.ts';
import { type ForgottenSession, SessionStore } from '../src/session-store.ts';

const nowhere: CarrierSink = { send() {}, isFull: false };
const user: TunnelUser = { onData() {}, onFinish() {}, onReset() {}, onDrain() {} };
const request = { kind: 'tcp', target: 'a.example:80', publicOnly: false } as const;

/** A store, and sessions in it that wait for their gateways and hold some bytes each. */
function store(limits: Partial<RelayLimits> = {}) {
  const clock = new SimulatedClock();
  const forgotten: ForgottenSession[] = [];
  const sessions = new SessionStore({ ...relayLimits, ...limits }, clock, one => forgotten.push(one));
  const add = (heldBytes: number) => {
    const kept = sessions.add('manypath', forget => {
      const events = { onOpen() {}, onLeft() {}, onOver: forget };
      return new Session({ end: 'relay', clock, defer: queueMicrotask, events });
    });
    if (kept === undefined) throw new Error('there is no room');
    const { session } = kept;
    const carrier = session.attach(1, nowhere);
    session.open({ request, user, carrier }).write(new Uint8Array(heldBytes));
    session.leave(carrier);
    return kept;
  };
  return { clock, sessions, forgotten, add };
}

describe('sessions whose gateways are away', () => {
  it('wait for ten minutes, and no longer', () => {
    const { clock, sessions, forgotten, add } = store();
    const { known } = add(1000);
    clock.advance(599_000);
    expect(sessions.find(known.id)).toBeDefined();
    clock.advance(relayLimits.sessionCheckMs + 1_000);
    expect(sessions.find(known.id)).toBeUndefined();
    expect(forgotten).toMatchObject([{ tunnels: 1 }]);
    expect(forgotten[0]?.awayMs).toBeGreaterThanOrEqual(600_000);
  });

  it('wait only as long as all of them hold no more than may be: those that were left first are ended', () => {
    const { clock, sessions, add } = store({ sessionAwayBytes: 250_000 });
    const kept = [100_000, 100_000, 100_000].map(bytes => {
      clock.advance(1);
      return add(bytes);
    });
    expect(sessions.waitingBytes).toBeGreaterThanOrEqual(300_000);
    clock.advance(relayLimits.sessionCheckMs);
    expect(kept.map(({ known }) => sessions.find(known.id) !== undefined)).toEqual([false, true, true]);
    expect(sessions.waitingBytes).toBeLessThanOrEqual(250_000);
  });

  it('make room for others: the one that waited longest is ended', () => {
    const { clock, sessions, add } = store({ sessions: 2 });
    const first = add(10);
    clock.advance(1);
    const second = add(10);
    clock.advance(1);
    add(10);
    expect(sessions.size).toBe(2);
    expect(sessions.find(first.known.id)).toBeUndefined();
    expect(sessions.find(second.known.id)).toBeDefined();
  });

  it('do not wait when nothing is open in them', () => {
    const { clock, sessions } = store();
    sessions.add('manypath', forget => {
      const events = { onOpen() {}, onLeft() {}, onOver: forget };
      return new Session({ end: 'relay', clock, defer: queueMicrotask, events });
    });
    clock.advance(relayLimits.sessionCheckMs);
    expect(sessions.size).toBe(0);
  });
});
