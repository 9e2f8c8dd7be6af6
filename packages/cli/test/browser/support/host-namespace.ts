import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeFolder } from '../../../../../test/support/remove-folder.ts';

const hostsFile = `127.0.0.1 localhost rebind.test myapp.test
203.0.113.5 origin.test public.test
::1 localhost
10.77.1.2 printer.lan nas device.corp.test rebind-lan.test
10.99.0.1 vpn.example.test
`;

let count = 0;

/**
 * A network namespace that plays the machine of a user. A second one is a device on its LAN, and the internet
 * behind it as well: `10.77.1.1` here, `10.77.1.2` there; `203.0.113.5` is a server far away, and `10.99.0.1`
 * one with a private address that is not on the LAN.
 */
export class HostNamespace {
  readonly name: string;
  readonly device: string;
  /** Folder for what a test leaves lying about; everyone may enter and write. */
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();

  constructor() {
    count += 1;
    this.name = `mpbr-${process.pid}-${count}`;
    this.device = `${this.name}-d`;
    this.folder = mkdtempSync(join(tmpdir(), 'mpbr-'));
    execFileSync('chmod', ['1777', this.folder]);
    this.#ip(`netns add ${this.name}`);
    this.#ip(`netns add ${this.device}`);
    this.#ip(`-n ${this.name} link set lo up`);
    this.#ip(`-n ${this.device} link set lo up`);
    this.#ip(`-n ${this.name} link add lan0 type veth peer name lan0 netns ${this.device}`);
    this.#ip(`-n ${this.name} address add 10.77.1.1/24 dev lan0`);
    this.#ip(`-n ${this.device} address add 10.77.1.2/24 dev lan0`);
    for (const address of ['203.0.113.5', '10.99.0.1']) {
      this.#ip(`-n ${this.device} address add ${address}/32 dev lo`);
    }
    this.#ip(`-n ${this.name} link set lan0 up`);
    this.#ip(`-n ${this.device} link set lan0 up`);
    this.#ip(`-n ${this.name} route add default via 10.77.1.2`);
    writeFileSync(join(this.folder, 'hosts'), hostsFile);
    writeFileSync(
      join(this.folder, 'resolv.conf'),
      'nameserver 10.77.1.2\nsearch corp.test\noptions timeout:1 attempts:1\n',
    );
  }

  /** `ip` with what follows, in this namespace. */
  ip(command: string): void {
    this.#ip(`-n ${this.name} ${command}`);
  }

  /**
   * The command line that runs what follows in this namespace, with our hosts file and without a name server
   * that answers, as `user` when given.
   */
  inside(user?: { readonly uid: number; readonly home: string }): string[] {
    const files = ['hosts', 'resolv.conf'].map(file => `mount --bind '${this.folder}/${file}' /etc/${file}`);
    const drop =
      user === undefined
        ? ''
        : `setpriv --reuid ${user.uid} --regid ${user.uid} --clear-groups env HOME='${user.home}' XDG_RUNTIME_DIR= `;
    const shell = `${files.join(' && ')} && exec ${drop}"$0" "$@"`;
    return ['ip', 'netns', 'exec', this.name, 'unshare', '--mount', 'sh', '-c', shell];
  }

  /** Starts one of the `.mjs` programs next to this file and waits for its first line. */
  async start(
    program: string,
    parameters: readonly string[] = [],
    where: 'host' | 'device' = 'host',
  ): Promise<string> {
    const file = fileURLToPath(new URL(program, import.meta.url));
    const name = where === 'host' ? this.name : this.device;
    const child = spawn('ip', ['netns', 'exec', name, process.execPath, file, ...parameters], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    return line;
  }

  /** What a server here or on the LAN says to a plain GET. */
  get(url: string): string {
    const program = `fetch('${url}').then(response => response.text()).then(text => process.stdout.write(text))`;
    return execFileSync('ip', ['netns', 'exec', this.name, process.execPath, '-e', program], {
      encoding: 'utf8',
    });
  }

  destroy(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#ip(`netns delete ${this.name}`);
    this.#ip(`netns delete ${this.device}`);
    removeFolder(this.folder);
  }

  #ip(command: string): void {
    execFileSync('ip', command.split(' '));
  }
}
