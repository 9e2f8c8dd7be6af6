import { openMptcpSocket } from '@manypath/mptcp';
import type { NewSubflow, SteeringRights, SubflowEnd } from '../steering/steering-rights.ts';
import type { HelperClient } from './helper-client.ts';

/** Steers connections of this user through the helper. */
export class RemoteSteering implements SteeringRights {
  readonly #helper: HelperClient;

  /** @param helper Stays its owner's to close. */
  constructor(helper: HelperClient) {
    this.#helper = helper;
  }

  get isThere(): boolean {
    return this.#helper.isThere;
  }

  async openSocket(family: 4 | 6): Promise<number> {
    await this.#helper.ask({ verb: 'open-window' });
    const fd = openMptcpSocket(family);
    // It shuts by itself soon should this not arrive.
    this.#helper.ask({ verb: 'close-window' }).catch(() => {});
    return fd;
  }

  createSubflow(subflow: NewSubflow): Promise<void> {
    return this.#helper.ask({ verb: 'create-subflow', ...subflow });
  }

  destroySubflow(token: number, { local, remote }: SubflowEnd): Promise<void> {
    return this.#helper.ask({ verb: 'destroy-subflow', token, subflow: { local, remote } });
  }

  removeAddress(token: number, localId: number): Promise<void> {
    return this.#helper.ask({ verb: 'remove-address', token, localId });
  }

  setBackup(token: number, { local, remote }: SubflowEnd, backup: boolean): Promise<void> {
    return this.#helper.ask({ verb: 'set-backup', token, subflow: { local, remote }, backup });
  }
}
