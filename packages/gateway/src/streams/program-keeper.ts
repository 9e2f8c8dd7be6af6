import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Waits for the end of its standard input, which comes when the gateway closes it or is gone, however it went; then ends the
 * process groups that the last line it read names. $1: seconds that they may take.
 */
const script = `
  trap '' INT TERM HUP
  groups=
  while read -r line; do groups=$line; done
  left() { for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && return 0; done; return 1; }
  for group in $groups; do kill -s TERM -- "-$group" 2>/dev/null; done
  tries=$(($1 * 10))
  while [ "$tries" -gt 0 ] && left; do sleep 0.1; tries=$((tries - 1)); done
  for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
`;

/** Sees to it that no program outlives the gateway that started it, also when the gateway is killed and cannot. */
export class ProgramKeeper {
  readonly #endMs: number;
  readonly #groups = new Set<number>();
  #process: ChildProcess | undefined;

  /** @param endMs What programs that were told to end may take for it. */
  constructor(endMs: number) {
    this.#endMs = endMs;
  }

  /** To be called before a program is started, so that there is no moment in which nobody would end it. */
  start(): void {
    if (this.#process !== undefined) return;
    const seconds = String(Math.ceil(this.#endMs / 1000));
    const keeper = spawn('/bin/sh', ['-c', script, 'manypath-programs', seconds], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    const gone = () => {
      if (this.#process === keeper) this.#process = undefined;
    };
    // Without one, programs are ended all the same, as long as this process can.
    keeper.once('error', gone).once('exit', gone);
    keeper.stdin.on('error', gone);
    keeper.unref();
    if (keeper.stdin instanceof Socket) keeper.stdin.unref();
    this.#process = keeper;
  }

  /** A program leads this process group. */
  add(group: number): void {
    this.#groups.add(group);
    this.#tell();
  }

  /** Nothing is left of it that would be ours. */
  remove(group: number): void {
    this.#groups.delete(group);
    this.#tell();
  }

  /** Ends all of them. */
  close(): void {
    this.#process?.stdin?.end();
    this.#process = undefined;
  }

  #tell(): void {
    this.#process?.stdin?.write(`${[...this.#groups].join(' ')}\n`);
  }
}
