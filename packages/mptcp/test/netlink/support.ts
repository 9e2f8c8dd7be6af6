import { type ExecFileSyncOptionsWithStringEncoding, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, describe } from 'vitest';
import { inNamespace } from '../../src/namespace.ts';

const isRoot = process.getuid?.() === 0;
const required = (process.env.MANYPATH_REQUIRE ?? '').split(',').includes('lab');

/** Tests that need root and network namespaces: skipped without them, unless they are demanded. */
export function describeLab(name: string, body: () => void): void {
  if (isRoot || required) describe(name, body);
  else describe.skip(`${name} (skipped: needs root for network namespaces)`, body);
}

const options: ExecFileSyncOptionsWithStringEncoding = {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'pipe'],
};

/** Runs a command line and returns what it prints; throws when it fails. */
export function run(line: string): string {
  const [command = '', ...args] = line.split(' ');
  return execFileSync(command, args, options);
}

/** Runs `ip -j …` in a namespace and returns its JSON. */
export function ipJson<T>(namespace: string, line: string): T {
  const text = run(`ip -n ${namespace} -j ${line}`).trim();
  return JSON.parse(text === '' ? '[]' : text) as T;
}

let made = 0;
const namespaces: string[] = [];

function removeNamespaces(): void {
  for (const name of namespaces.splice(0)) spawnSync('ip', ['netns', 'del', name]);
}

afterAll(removeNamespaces);
process.on('exit', removeNamespaces);

/** A name of our own for a namespace; the process id tells runs side by side apart. */
export function namespaceName(role: string): string {
  return `mpnl-${role}-${process.pid}-${made++}`;
}

/** Makes an empty network namespace with its loopback up; it is removed after the tests of the file. */
export function makeNamespace(role: string): string {
  const name = namespaceName(role);
  namespaces.push(name);
  run(`ip netns add ${name}`);
  run(`ip -n ${name} link set lo up`);
  return name;
}

/** Hands the connections that are made in a namespace from now on to a userspace path manager. */
export function useUserspacePathManager(namespace: string): void {
  inNamespace(namespace, () => {
    const folder = '/proc/sys/net/mptcp';
    // Linux before 6.15 has a number for it.
    if (existsSync(`${folder}/path_manager`)) writeFileSync(`${folder}/path_manager`, 'userspace');
    else writeFileSync(`${folder}/pm_type`, '1');
  });
}

/** Two namespaces with two links between them: a is 10.77.1.0/24, b is 10.77.2.0/24, .1 the client, .2 the server. */
export interface TwoLinks {
  client: string;
  server: string;
}

export function makeTwoLinks(): TwoLinks {
  const client = makeNamespace('client');
  const server = makeNamespace('server');
  for (const [link, n] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    run(`ip -n ${client} link add ${link}0 type veth peer name ${link}1 netns ${server}`);
    run(`ip -n ${client} addr add 10.77.${n}.1/24 dev ${link}0`);
    run(`ip -n ${server} addr add 10.77.${n}.2/24 dev ${link}1`);
    run(`ip -n ${client} addr add fd77:${n}::1/64 dev ${link}0 nodad`);
    run(`ip -n ${server} addr add fd77:${n}::2/64 dev ${link}1 nodad`);
    run(`ip -n ${client} link set ${link}0 up`);
    run(`ip -n ${server} link set ${link}1 up`);
  }
  return { client, server };
}

/** The first event that fits; fails when the iteration ends before. */
export async function eventThat<T, S extends T>(
  events: AsyncIterable<T>,
  fits: (event: T) => event is S,
): Promise<S>;
export async function eventThat<T>(events: AsyncIterable<T>, fits: (event: T) => boolean): Promise<T>;
export async function eventThat<T>(events: AsyncIterable<T>, fits: (event: T) => boolean): Promise<T> {
  const iterator = events[Symbol.asyncIterator]();
  for (;;) {
    const result = await iterator.next();
    if (result.done === true) throw new Error('the events ended before the one that was waited for');
    if (fits(result.value)) return result.value;
  }
}
