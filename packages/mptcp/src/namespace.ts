import { closeSync, openSync, stat } from 'node:fs';
import { ArgumentError, NamespaceError } from './errors.ts';
import { CLONE_NEWNET } from './kernel/constants.ts';
import { libc } from './kernel/libc.ts';

let poolIsWarm = false;

/**
 * Runs `call` with this thread in another network namespace, and goes back before it returns. Sockets made by
 * `call` stay in that namespace for good, while the program around them goes on as ever.
 *
 * Only what happens *inside* the call is meant: `connect` and `createServer` with IP literals make their
 * descriptors there, so `await inNamespace(ns, () => connect({ host: '10.0.0.1', port: 80 }))` works. Names do
 * not: they are resolved later, by threads that stay in the namespace the program started in.
 *
 * @param place a process id, a path such as `/run/netns/lab`, or a name that `ip netns` knows
 * @throws NamespaceError `MPTCP_NAMESPACE_FAILED`; UnsupportedError `MPTCP_UNSUPPORTED` away from Linux
 */
export function inNamespace<T>(place: string | number, call: () => T): T {
  const kernel = libc();
  warmThreadPool();
  const path = pathOf(place);
  let there: number;
  try {
    there = openSync(path, 'r');
  } catch (cause) {
    throw new NamespaceError(path, cause);
  }
  try {
    const home = openSync('/proc/thread-self/ns/net', 'r');
    try {
      try {
        kernel.setns(there, CLONE_NEWNET);
      } catch (cause) {
        throw new NamespaceError(path, cause);
      }
      try {
        return call();
      } finally {
        kernel.setns(home, CLONE_NEWNET);
      }
    } finally {
      closeSync(home);
    }
  } finally {
    closeSync(there);
  }
}

function pathOf(place: string | number): string {
  if (typeof place === 'number') return `/proc/${place}/ns/net`;
  if (place === '' || place.includes('\0'))
    throw new ArgumentError('A namespace needs a name, a path or a process id');
  return place.includes('/') ? place : `/run/netns/${place}`;
}

/** libuv starts its threads at the first job, in the namespace of that moment: let that be the one we are at home in. */
function warmThreadPool(): void {
  if (poolIsWarm) return;
  poolIsWarm = true;
  stat('/', () => {});
}
