import { Condition, errorMessage, type Logger, SerialQueue, systemClock, type Timer } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import { SettingsKeeper } from './settings-keeper.ts';

/**
 * Sets the limits of Multipath TCP as a server needs them that strangers reach. Where that cannot be noted just now, as on a
 * full disk, it is tried again.
 *
 * Connections may have as many subflows as the kernel allows; else it refuses the third subflow of a client. And no
 * address is taken that a peer announces (ADD_ADDR): the kernel would connect to it, whatever it is and before a byte of
 * TLS, also from a server, so that everybody could have this host knock at its own network.
 *
 * @returns What puts the limits back; they are also put back by the next start after a kill.
 */
export async function setServerLimits({
  stateDir,
  logger,
}: {
  stateDir: string;
  logger: Logger;
}): Promise<() => Promise<void>> {
  const keeper = SettingsKeeper.open({ stateDir, logger });
  const refused = new Condition(logger, 'the limits of Multipath TCP are as a server needs them again');
  let timer: Timer | undefined;
  const jobs = new SerialQueue(error => {
    refused.begins(
      keeper,
      { error: errorMessage(error) },
      'the limits of Multipath TCP stay as they are; tried again',
    );
    timer = systemClock.after(pathsLimits.upkeepCheckMs, set);
  });
  const set = (): void =>
    jobs.post(async () => {
      await keeper.begin({ limits: 'server' });
      refused.ends(keeper);
    });
  set();
  await jobs.idle;
  if (keeper.followsAnnounced) {
    logger.warn(
      {},
      'the kernel takes addresses that clients announce: they can make this host connect to any address; ' +
        'run as root: ip mptcp limits set add_addr_accepted 0',
    );
  }
  return async () => {
    timer?.cancel();
    await jobs.idle;
    await keeper.end();
  };
}
