export { type BrowserName, browserNames, type InstallTarget } from './browsers.ts';
export { extensionAdvice } from './extension-advice.ts';
export { writeNativeHost } from './host-manifest.ts';
export { type Installation, type InstallOptions, install } from './install.ts';
export { installText, uninstallText } from './install-text.ts';
export { systemPlaces, userPlaces } from './places.ts';
export { serviceUnit } from './service-unit.ts';
export { uninstall } from './uninstall.ts';
