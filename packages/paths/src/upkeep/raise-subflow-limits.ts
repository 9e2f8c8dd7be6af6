import { Condition, errorMessage, SerialQueue, systemClock, type Timer } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import type { PathsLogger } from '../path-set.ts';
import { SettingsKeeper } from './settings-keeper.ts';

/**
 * Lets connections of this host have as many subflows as the kernel allows: what a server needs, whose kernel else
 * refuses the third subflow of a client. Where that cannot be noted just now, as on a full disk, it is tried again.
 *
 * @returns What puts the limits back; they are also put back by the next start after a kill.
 */
export async function raiseSubflowLimits({
  stateDir,
  logger,
}: {
  stateDir: string;
  logger: PathsLogger;
}): Promise<() => Promise<void>> {
  const keeper = SettingsKeeper.open({ stateDir, logger });
  const refused = new Condition(logger, 'connections may have all their subflows again');
  let timer: Timer | undefined;
  const jobs = new SerialQueue(error => {
    refused.begins(
      keeper,
      { error: errorMessage(error) },
      'connections may have few subflows only; tried again',
    );
    timer = systemClock.after(pathsLimits.upkeepCheckMs, raise);
  });
  const raise = (): void =>
    jobs.post(async () => {
      await keeper.begin();
      refused.ends(keeper);
    });
  raise();
  await jobs.idle;
  return async () => {
    timer?.cancel();
    await jobs.idle;
    await keeper.end();
  };
}
