import { openMptcpSocket, PathManager } from '@manypath/mptcp';
import type { NewSubflow, SteeringRights, SubflowEnd } from './steering-rights.ts';

/** Leaves sockets that are made to user space for a moment; `SettingsKeeper` does, which notes first what to put back. */
export interface SocketWindow {
  /** @returns What ends it; `undefined` when that is not possible. */
  leaveToUserspace(): (() => void) | undefined;
}

/** Steers connections from this process, which has CAP_NET_ADMIN and may write sysctls. */
export class DirectSteering implements SteeringRights {
  readonly isThere = true;
  readonly #manager = PathManager.open();
  readonly #window: SocketWindow;

  /** @param window Leaves sockets to user space. Default: nobody does, and the kernel chooses the subflows. */
  constructor(window: SocketWindow = { leaveToUserspace: () => undefined }) {
    this.#window = window;
  }

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
    const putBack = this.#window.leaveToUserspace();
    try {
      return openMptcpSocket(family);
    } finally {
      putBack?.();
    }
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
