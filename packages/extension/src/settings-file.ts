import { type Choice, choiceFrom } from './choice.ts';

/** What `Export` writes and `Import` reads. It holds no secret: the pairing with the relay is left out. */
export interface SettingsFile {
  readonly manypath: 'settings';
  readonly version: 1;
  readonly choice: Choice;
  /** Keys of the gateway's configuration, as in docs/CONFIG.md. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Keys of the configuration that belong to a person, not to one machine. */
const portable = ['paths', 'rules', 'local', 'straight', 'bypass', 'probe'];

export function writeSettings(choice: Choice, config: Readonly<Record<string, unknown>>): string {
  const kept = Object.fromEntries(Object.entries(config).filter(([key]) => portable.includes(key)));
  const file: SettingsFile = { manypath: 'settings', version: 1, choice, config: kept };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws Error when it is no settings file; its message is for the user */
export function readSettings(text: string): SettingsFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('This file is no JSON.');
  }
  if (typeof value !== 'object' || value === null) throw new Error('This file holds no settings.');
  const { manypath, version, choice, config } = value as Record<string, unknown>;
  if (manypath !== 'settings') throw new Error('This file holds no settings of Manypath.');
  if (version !== 1)
    throw new Error(`These settings are of version ${version}; this extension reads version 1.`);
  const isObject = (part: unknown): part is Record<string, unknown> =>
    typeof part === 'object' && part !== null && !Array.isArray(part);
  if (!isObject(choice) || !isObject(config)) throw new Error('These settings are incomplete.');
  const kept = Object.fromEntries(Object.entries(config).filter(([key]) => portable.includes(key)));
  return { manypath, version, choice: choiceFrom(choice), config: kept };
}
