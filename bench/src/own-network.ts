import { spawnSync } from 'node:child_process';
import { requireTool } from './tools.ts';

const marker = 'MANYPATH_BENCH_INSIDE';

/** An address of the network of {@link enterOwnNetwork} that nobody takes for this computer's: on 127.0.0.1 Manypath stays on TCP. */
export const ownAddress = '192.0.2.1';

/**
 * Where SYNs got lost once, as under much load, newer kernels do without Multipath TCP for an hour: not in a measurement. Older ones know
 * no such setting.
 */
const keepMultipath = '{ echo 0 > /proc/sys/net/mptcp/blackhole_timeout; } 2>/dev/null';

/**
 * Goes on in a network namespace that holds nothing but a loopback device, with {@link ownAddress}: the same command line is run again in it, and
 * this process ends with its exit code. So ports are free, and nobody else's traffic is measured or disturbed.
 */
export function enterOwnNetwork(): void {
  if (process.env[marker] !== undefined) return;
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const ip = requireTool('ip');
  const script = `${ip} link set lo up && ${ip} address add ${ownAddress}/32 dev lo && ${keepMultipath}; exec "$@"`;
  const child = spawnSync(requireTool('unshare'), [...user, '--net', 'sh', '-c', script, 'sh', ...program], {
    env: { ...process.env, [marker]: '1' },
    stdio: 'inherit',
  });
  if (child.error !== undefined) throw child.error;
  process.exit(child.status ?? 1);
}
