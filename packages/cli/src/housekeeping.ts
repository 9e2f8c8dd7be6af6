import {
  type Config,
  ConfigInvalidError,
  formatAuthority,
  parsePairing,
  type SettingsDocument,
} from '@manypath/core';
import type { Housekeeping } from '@manypath/gateway';
import { type ConfigPlace, editConfig, readRawConfig } from './config/index.ts';
import { examine } from './doctor/doctor.ts';
import { forgetPairing, type RelayChoice } from './pairing/index.ts';

/** What {@link housekeepingOf} works with. */
export interface HousekeepingOptions {
  readonly place: ConfigPlace;
  readonly stateDir: string;
  /** Which relay is used, with the configuration in force. */
  readonly relay: RelayChoice;
  /** The configuration in force. */
  readonly config: () => Config;
  /** How the browser is set up that runs with this gateway; `null` when there is none. */
  readonly isolation: () => SettingsDocument['isolation'];
}

/** Keys that a page of settings may change: not where the gateway listens, nor its limits. */
const changeable = new Set(['relay', 'paths', 'rules', 'local', 'straight', 'bypass', 'probe']);

/** Answers the control socket for the configuration file and the doctor. */
export function housekeepingOf(options: HousekeepingOptions): Housekeeping {
  const { place, stateDir } = options;
  const relayInUse = () => options.relay.with(options.config());
  const settings = (): SettingsDocument => {
    const { relay: _secret, ...config } = readRawConfig(place.file);
    const relay = relayInUse();
    return {
      file: place.file,
      config,
      relay:
        relay === undefined
          ? null
          : {
              address: formatAuthority(parsePairing(relay.pairing).address),
              from: relay.from,
            },
      isolation: options.isolation(),
    };
  };
  return {
    settings,
    configure(change) {
      const changes = changesIn(change);
      editConfig(place.file, config => {
        for (const [key, value] of changes) {
          if (value === null) delete config[key];
          else config[key] = value;
        }
      });
      if (changes.some(([key, value]) => key === 'relay' && value === null)) forgetPairing(stateDir);
      return settings();
    },
    async doctor() {
      const findings = await examine({ stateDir, relay: relayInUse()?.pairing, config: place });
      return findings.map(({ id, ok, cause, fix }) => ({ id, ok, cause, fix }));
    },
  };
}

function changesIn(change: unknown): [string, unknown][] {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) {
    throw new ConfigInvalidError('', 'a change must be an object, {…}');
  }
  const changes = Object.entries(change);
  const fixed = changes.find(([key]) => !changeable.has(key));
  if (fixed !== undefined) throw new ConfigInvalidError(fixed[0], 'this can be changed in the file only');
  return changes;
}
