import { errorMessage, ManypathError } from '@manypath/core';
import { type ConfigPlace, loadConfig } from '../config/index.ts';
import { bad, type Finding, good } from './finding.ts';

/** Whether a gateway could start with the configuration as it is, or would take it over. */
export function checkConfig(place: ConfigPlace): Finding[] {
  try {
    loadConfig(place);
    return [good('config', 'the configuration can be used')];
  } catch (error) {
    const fix = ManypathError.is(error) ? error.hint : undefined;
    return [bad('config', errorMessage(error), fix ?? `see ${place.file}`)];
  }
}
