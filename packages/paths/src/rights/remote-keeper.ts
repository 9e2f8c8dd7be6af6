import type { Keeper } from '../upkeep/keeper.ts';
import type { Setting } from '../upkeep/plan.ts';
import type { HelperClient } from './helper-client.ts';
import type { EndpointUse, WantedPath } from './verbs.ts';

/** Has the helper set the paths up. It is told which, and plans the settings itself from what the kernel says. */
export class RemoteKeeper implements Keeper {
  readonly #helper: HelperClient;

  /** @param helper Stays its owner's to close. */
  constructor(helper: HelperClient) {
    this.#helper = helper;
  }

  get permitted(): boolean {
    return this.#helper.isThere;
  }

  apply(wanted: readonly Setting[]): Promise<void> {
    return this.#helper.keep(pathsOf(wanted));
  }

  end(): Promise<void> {
    return this.#helper.keep([]);
  }
}

/** Which paths the settings are of, and what becomes of their endpoints. */
export function pathsOf(settings: readonly Setting[]): WantedPath[] {
  const uses = new Map<string, EndpointUse>();
  for (const setting of settings) {
    if (setting.type === 'route') uses.set(setting.device, uses.get(setting.device) ?? 'none');
    if (setting.type === 'endpoint') uses.set(setting.device, setting.backup ? 'backup' : 'active');
  }
  return [...uses].map(([name, endpoint]) => ({ name, endpoint }));
}
