import type { Logger } from '@manypath/core';
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

/** Who sets the paths up in the kernel and steers connections: this process, or the helper. */
export interface KernelRights {
  readonly keeper: Keeper;
  readonly steering: SteeringRights;
  /** To be called when the keeper has ended. */
  close(): Promise<void>;
}

/** Takes the rights of this process, or else those of the helper, whenever one is there. */
export async function openKernelRights(stateDir: string, logger: Logger): Promise<KernelRights> {
  if (mayChangeKernel()) {
    const keeper = SettingsKeeper.open({ stateDir, logger });
    const steering = new DirectSteering(keeper);
    return { keeper, steering, close: async () => steering.close() };
  }
  const helper = await HelperClient.open(helperSocket(), { logger });
  return {
    keeper: new RemoteKeeper(helper),
    steering: new RemoteSteering(helper),
    close: () => helper.close(),
  };
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

/** Whether a privileged helper runs that serves this user. */
export async function isHelperThere(): Promise<boolean> {
  try {
    const helper = await HelperClient.connect(helperSocket());
    await helper.close();
    return true;
  } catch {
    return false;
  }
}

function helperSocket(): string {
  return process.env.MANYPATH_HELPER ?? helperSocketPath;
}
