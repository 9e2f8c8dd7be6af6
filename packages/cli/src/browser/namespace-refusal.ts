import { readFileSync } from 'node:fs';

/** Settings of the system that forbid user namespaces to ordinary users, and what to say about each. */
const settings = [
  {
    file: '/proc/sys/user/max_user_namespaces',
    forbids: '0',
    text: 'this system allows no user namespaces (sysctl user.max_user_namespaces)',
  },
  {
    file: '/proc/sys/kernel/unprivileged_userns_clone',
    forbids: '0',
    text: 'this system keeps user namespaces to root (sysctl kernel.unprivileged_userns_clone)',
  },
  {
    file: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    forbids: '1',
    text: 'AppArmor here restricts user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns)',
  },
] as const;

/**
 * Why making the namespace failed, in words that can be acted upon: a setting that explains a refusal, else
 * what the system said.
 */
export function explainRefusal(
  reason: string,
  read: (file: string) => string | undefined = readSetting,
): string {
  if (!/not permitted|denied|no space left/i.test(reason)) return reason;
  return settings.find(({ file, forbids }) => read(file) === forbids)?.text ?? reason;
}

function readSetting(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
