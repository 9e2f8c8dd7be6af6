import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inNamespace } from '@manypath/mptcp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raiseSubflowLimit } from '../src/subflow-limit.ts';
import { temporaryFolder } from './support/relay.ts';

const required = process.env.MANYPATH_REQUIRE?.includes('lab') ?? false;
const isRoot = process.getuid?.() === 0;
const namespace = `mprelay-${process.pid}`;
const place = `/run/netns/${namespace}`;

function ip(...args: string[]): string {
  return String(execFileSync('ip', args));
}

/** The limit as the kernel tells it to somebody else. */
function subflows(): number {
  return Number(/subflows (\d+)/.exec(ip('netns', 'exec', namespace, 'ip', 'mptcp', 'limits'))?.[1]);
}

function setSubflows(count: number): void {
  ip('netns', 'exec', namespace, 'ip', 'mptcp', 'limits', 'set', 'subflows', String(count));
}

describe.skipIf(!isRoot && !required)('the limit of subflows (needs root)', () => {
  beforeAll(() => void ip('netns', 'add', namespace));
  afterAll(() => void ip('netns', 'del', namespace));

  const raise = (folder: string) => inNamespace(place, () => raiseSubflowLimit(folder));
  const restore = (undo: (() => void) | undefined) => inNamespace(place, () => undo?.());

  it('is raised to 8, and put back', () => {
    setSubflows(2);
    const folder = temporaryFolder();
    const undo = raise(folder);
    expect(subflows()).toBe(8);
    expect(existsSync(join(folder, 'subflow-limit.json'))).toBe(true);
    restore(undo);
    expect(subflows()).toBe(2);
    expect(existsSync(join(folder, 'subflow-limit.json'))).toBe(false);
  });

  it('is left alone when it is that high already', () => {
    setSubflows(8);
    expect(raise(temporaryFolder())).toBeUndefined();
    expect(subflows()).toBe(8);
  });

  it('is put back by the next relay when this one was killed', () => {
    setSubflows(3);
    const folder = temporaryFolder();
    raise(folder);
    const undo = raise(folder);
    expect(subflows()).toBe(8);
    restore(undo);
    expect(subflows()).toBe(3);
  });

  it('is not touched when somebody has set another one meanwhile', () => {
    setSubflows(2);
    const undo = raise(temporaryFolder());
    setSubflows(5);
    restore(undo);
    expect(subflows()).toBe(5);
  });

  it('is not judged by what was noted in another namespace', () => {
    setSubflows(2);
    const folder = temporaryFolder();
    raise(folder);
    const other = `${namespace}-other`;
    ip('netns', 'add', other);
    try {
      const inOther = (action: () => void) => inNamespace(`/run/netns/${other}`, action);
      ip('netns', 'exec', other, 'ip', 'mptcp', 'limits', 'set', 'subflows', '8');
      inOther(() => expect(raiseSubflowLimit(folder)).toBeUndefined());
    } finally {
      ip('netns', 'del', other);
    }
  });
});
