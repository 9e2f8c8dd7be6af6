import type { DoctorFinding, SettingsDocument } from '@manypath/core';
import { ControlRequestError } from '../errors.ts';

/** What clients of the control socket ask of the program around the gateway: its configuration, and what the doctor finds. */
export interface Housekeeping {
  settings(): SettingsDocument;
  /**
   * Replaces keys of the configuration, and removes those that are `null`.
   *
   * @throws ConfigInvalidError `MANYPATH_CONFIG_INVALID`, and nothing is changed
   */
  configure(change: unknown): SettingsDocument;
  doctor(): Promise<readonly DoctorFinding[]>;
}

function refuse(): never {
  throw new ControlRequestError('this gateway has no configuration of its own');
}

/** A gateway in a program that has nothing of all this. */
export const unhoused: Housekeeping = {
  settings: refuse,
  configure: refuse,
  doctor: async () => [],
};
