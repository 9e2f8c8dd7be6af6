import { errorCode, errorMessage } from '@manypath/core';
import {
  DirectSteering,
  HelperClient,
  helperSocketPath,
  type Keeper,
  RemoteKeeper,
  RemoteSteering,
  SettingsKeeper,
  type SteeringRights,
} from '@manypath/paths';
import type { Logger } from './terminal/log.ts';

/** Who sets the paths up in the kernel and steers connections: this process, the helper, or nobody. */
export interface KernelRights {
  readonly keeper: Keeper;
  /** `undefined` where the kernel chooses the subflows. */
  readonly steering: SteeringRights | undefined;
  /** To be called when the keeper has ended. */
  close(): Promise<void>;
}

/** Takes what rights there are. */
export async function openKernelRights(stateDir: string, logger: Logger): Promise<KernelRights> {
  const mayChange = mayChangeKernel();
  const helper = mayChange ? undefined : await reachHelper(logger);
  if (helper !== undefined) {
    return {
      keeper: new RemoteKeeper(helper),
      steering: new RemoteSteering(helper),
      close: () => helper.close(),
    };
  }
  const keeper = SettingsKeeper.open({ stateDir, logger });
  const steering = mayChange ? new DirectSteering(keeper) : undefined;
  return { keeper, steering, close: async () => steering?.close() };
}

/** Whether this process has CAP_NET_ADMIN where it counts. */
export function mayChangeKernel(): boolean {
  try {
    const steering = new DirectSteering();
    try {
      return steering.isPermitted();
    } finally {
      steering.close();
    }
  } catch {
    return false;
  }
}

/** The privileged helper, where one runs that serves this user. */
export async function reachHelper(logger?: Logger): Promise<HelperClient | undefined> {
  try {
    const path = process.env.MANYPATH_HELPER ?? helperSocketPath;
    return await HelperClient.connect(path, logger === undefined ? {} : { logger });
  } catch (error) {
    if (errorCode(error) === 'MANYPATH_HELPER_REFUSED') {
      logger?.warn({ reason: errorMessage(error) }, 'the privileged helper does not serve this user');
    }
    return undefined;
  }
}
