import { execFileSync } from 'node:child_process';

let made = 0;

/** A network namespace of its own, with loopback up. Its name tells whose it is. */
export class TestNamespace implements Disposable {
  readonly name = `mpsock-${process.pid}-${made++}`;

  constructor() {
    run('ip', 'netns', 'add', this.name);
    this.run('ip', 'link', 'set', 'lo', 'up');
  }

  /** Runs a command inside and gives what it printed. */
  run(...command: string[]): string {
    return run('ip', 'netns', 'exec', this.name, ...command);
  }

  /** Joins two namespaces by a veth pair with these addresses. */
  static link(a: TestNamespace, b: TestNamespace, device: string, addressA: string, addressB: string): void {
    run(
      'ip',
      'link',
      'add',
      device,
      'netns',
      a.name,
      'type',
      'veth',
      'peer',
      'name',
      device,
      'netns',
      b.name,
    );
    for (const [namespace, address] of [[a, addressA] as const, [b, addressB] as const]) {
      const family = address.includes(':') ? ['-6'] : [];
      const settled = address.includes(':') ? ['nodad'] : [];
      namespace.run('ip', ...family, 'addr', 'add', address, 'dev', device, ...settled);
      namespace.run('ip', 'link', 'set', device, 'up');
    }
  }

  [Symbol.dispose](): void {
    run('ip', 'netns', 'del', this.name);
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
