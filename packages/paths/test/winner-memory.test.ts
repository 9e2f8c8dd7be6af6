import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { pathsLimits, WinnerMemory } from '../src/index.ts';
import { outlook, pathNamed } from './support/outlooks.ts';

const paths = [outlook('a'), outlook('b')];

describe('the memory of winners', () => {
  it('is of a host, or of what lies next to an address', () => {
    const memory = new WinnerMemory(new SimulatedClock());
    memory.won('Example.org', paths, 'b');
    memory.won('192.0.2.7', paths, 'a');
    memory.won('2001:db8:1:2::3', paths, 'b');
    expect(memory.winner('example.org', paths)).toBe('b');
    expect(memory.winner('www.example.org', paths)).toBeUndefined();
    expect(memory.winner('192.0.2.200', paths)).toBe('a');
    expect(memory.winner('192.0.3.7', paths)).toBeUndefined();
    expect(memory.winner('2001:db8:1:ff::', paths)).toBe('b');
  });

  it('holds in the same networks only, and not for ever', () => {
    const clock = new SimulatedClock();
    const memory = new WinnerMemory(clock);
    memory.won('example.org', paths, 'b');
    const elsewhere = { ...pathNamed('a'), network: 'a via 192.0.2.1' };
    expect(memory.winner('example.org', [outlook('a', { path: elsewhere }), outlook('b')])).toBeUndefined();
    expect(memory.winner('example.org', [...paths].reverse())).toBe('b');
    clock.advance(pathsLimits.winnerMs);
    expect(memory.winner('example.org', paths)).toBeUndefined();
  });

  it('is bounded', () => {
    const memory = new WinnerMemory(new SimulatedClock());
    for (let at = 0; at <= pathsLimits.winnersKept; at++) memory.won(`${at}.example`, paths, 'b');
    expect(memory.winner('0.example', paths)).toBeUndefined();
    expect(memory.winner('1.example', paths)).toBe('b');
  });
});

describe('the doubt about a path', () => {
  const path = pathNamed('a');

  it('lasts longer each time, up to a minute, until the path answers', () => {
    const clock = new SimulatedClock();
    const memory = new WinnerMemory(clock);
    for (const seconds of [5, 10, 20, 40, 60, 60]) {
      memory.silent(path);
      clock.advance(seconds * 1000 - 1);
      expect(memory.isDoubted(path)).toBe(true);
      clock.advance(1);
      expect(memory.isDoubted(path)).toBe(false);
    }
    memory.silent(path);
    memory.answered(path);
    expect(memory.isDoubted(path)).toBe(false);
    memory.silent(path);
    clock.advance(5000);
    expect(memory.isDoubted(path)).toBe(false);
  });

  it('is short when only a name server was silent', () => {
    const clock = new SimulatedClock();
    const memory = new WinnerMemory(clock);
    memory.seemsSilent(path);
    expect(memory.isDoubted(path)).toBe(true);
    clock.advance(pathsLimits.doubtBrieflyMs);
    expect(memory.isDoubted(path)).toBe(false);
    memory.silent(path);
    memory.seemsSilent(path);
    clock.advance(4999);
    expect(memory.isDoubted(path)).toBe(true);
  });

  it('is about a network: in another one the interface is tried again', () => {
    const memory = new WinnerMemory(new SimulatedClock());
    memory.silent(path);
    expect(memory.isDoubted({ ...path, network: 'another' })).toBe(false);
  });
});
