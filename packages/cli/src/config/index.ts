export { type ConfigPlace, configPlace, loadConfig, withConfigOption } from './config-file.ts';
export { editConfig, type RawConfig, readRawConfig } from './edit-config.ts';
export { ConfigFileError } from './errors.ts';
export { type ConfigWatch, watchConfig } from './watch-config.ts';
