import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Profile } from './profile.ts';

/**
 * Waits for the end of its standard input, which comes when the process that holds the other end closes it
 * or is gone, however it went. Then it sees the browser off and removes the profile.
 *
 * The first line read is the browser's process id. $1: `remove` or `keep` the profile; $2: seconds the browser
 * may take; $3: `ask` when nobody else asks the browser to end. The folder of the profile is in the
 * environment, not among the parameters: who has it on the command line belongs to the browser. A fresh
 * profile is nobody else's, so with it all helpers of the browser are waited for as well; one that is just
 * starting would make the folder again. The brackets keep `grep` from finding itself.
 *
 * A Chromium that is killed leaves a folder with its socket among the temporary files; a link in the profile leads there.
 */
const script = `
  trap '' INT TERM HUP
  read -r pid
  while read -r _; do :; done
  name=\${PROFILE##*/}
  pattern="--user-data-dir=.*/[\${name%"\${name#?}"}]\${name#?}"
  left() {
    if [ ! -d /proc/self ]; then pids=$(kill -0 "$pid" 2>/dev/null && echo "$pid")
    elif [ "$1" = remove ]; then pids=$(grep -ls -e "$pattern" /proc/[0-9]*/cmdline | cut -d/ -f3)
    else pids=$(grep -lsF -e "--user-data-dir=$PROFILE" "/proc/$pid/cmdline" | cut -d/ -f3)
    fi
    [ -n "$pids" ]
  }
  if [ -n "$pid" ]; then
    if [ "$3" = ask ] && left "$1"; then kill -TERM "$pid"; fi
    tries=$(($2 * 10))
    while [ "$tries" -gt 0 ] && left "$1"; do sleep 0.1; tries=$((tries - 1)); done
    if left "$1"; then kill -KILL $pids; sleep 0.1; fi
  fi
  if [ "$1" = remove ]; then
    socket=$(readlink "$PROFILE/SingletonSocket") || socket=
    case $socket in
      /*/SingletonSocket)
        folder=\${socket%/*}
        rm -f -- "$socket" "$folder/SingletonCookie"
        rmdir -- "$folder" ;;
    esac
    for pause in 0.1 0.3 1 3; do rm -rf -- "$PROFILE" 2>/dev/null && exit 0; sleep $pause; done
  fi
`;

/** Looks after what the browser leaves, also when this process is killed and cannot. */
export class Caretaker {
  readonly #process: ChildProcess;

  constructor(profile: Profile, shutdownMs: number) {
    const asked = process.platform === 'linux' ? 'asked' : 'ask';
    const seconds = String(Math.ceil(shutdownMs / 1000));
    const parameters = [profile.temporary ? 'remove' : 'keep', seconds, asked];
    this.#process = spawn('/bin/sh', ['-c', script, 'manypath-caretaker', ...parameters], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', PROFILE: profile.folder },
      // A session of its own: what ends this process's group leaves it alive to do its work.
      detached: true,
    });
    this.#process.on('error', () => {});
    this.#process.stdin?.on('error', () => {});
  }

  /** Tells which process to see off. */
  watch(browserPid: number): void {
    this.#process.stdin?.write(`${browserPid}\n`);
  }

  /** Lets it do its work, and waits until that is done. */
  async finish(): Promise<void> {
    if (this.#process.pid === undefined || this.#process.exitCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await gone;
  }
}
