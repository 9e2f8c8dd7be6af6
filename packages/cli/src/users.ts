import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';

/** Who called sudo or pkexec, if that is another than root: a list of one user number, or none. */
export function callerOfSudo(): number[] {
  const caller = Number(process.env.SUDO_UID ?? process.env.PKEXEC_UID ?? Number.NaN);
  return Number.isInteger(caller) && caller > 0 ? [caller] : [];
}

/** For an option that may be repeated: users by name or number. */
export function collectUser(text: string, before: readonly number[] = []): number[] {
  const uid = /^\d+$/.test(text) ? Number(text) : uidOf(text);
  if (uid === undefined) throw new InvalidArgumentError(`There is no user ${text}.`);
  return [...before, uid];
}

function uidOf(name: string): number | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(entry => entry.split(':')[0] === name);
  const uid = Number(line?.split(':')[2] ?? Number.NaN);
  return Number.isInteger(uid) ? uid : undefined;
}
