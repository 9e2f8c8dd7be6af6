export { type BrowserName, browserNames, type InstallTarget } from './browsers.ts';
export { extensionAdvice } from './extension-advice.ts';
export {
  helperService,
  helperServiceName,
  helperSocket,
  helperSocketName,
  helperStateDir,
} from './helper-units.ts';
export { writeNativeHost } from './host-manifest.ts';
export { type Installation, type InstallOptions, install } from './install.ts';
export { type HelperInstallation, installHelper } from './install-helper.ts';
export { installRelay, type RelayInstallation } from './install-relay.ts';
export { helperText, installText, relayText, uninstallText } from './install-text.ts';
export { systemPlaces, userPlaces } from './places.ts';
export { relayStateDir, relayUnit, relayUnitName } from './relay-unit.ts';
export { serviceUnit, unitName } from './service-unit.ts';
export { copyProgram } from './system-program.ts';
export { uninstall } from './uninstall.ts';
