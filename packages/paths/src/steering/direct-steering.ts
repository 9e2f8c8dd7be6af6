import { openUserspaceSocket, PathManager } from '@manypath/mptcp';
import type { NewSubflow, SteeringRights, SubflowEnd } from './steering-rights.ts';

/** Steers connections from this process, which has CAP_NET_ADMIN and may write sysctls. */
export class DirectSteering implements SteeringRights {
  readonly #manager = PathManager.open();

  /** Whether this process may steer. */
  isPermitted(): boolean {
    try {
      this.#manager.setLimits(this.#manager.limits());
      return true;
    } catch {
      return false;
    }
  }

  async openSocket(family: 4 | 6): Promise<number> {
    return openUserspaceSocket(family);
  }

  async createSubflow({ token, localAddress, localId, device, remote, backup }: NewSubflow): Promise<void> {
    // The kernel knows the address of the first subflow without its number.
    const local = { address: localAddress, device, ...(localId === 0 ? {} : { id: localId }) };
    this.#manager.subflowCreate(token, { local, remote, backup });
  }

  async destroySubflow(token: number, subflow: SubflowEnd): Promise<void> {
    this.#manager.subflowDestroy(token, subflow);
  }

  async removeAddress(token: number, localId: number): Promise<void> {
    this.#manager.remove(token, localId);
  }

  async setBackup(token: number, { local, remote }: SubflowEnd, backup: boolean): Promise<void> {
    this.#manager.setSubflowFlags(token, { local, remote, backup });
  }

  close(): void {
    this.#manager.close();
  }
}
