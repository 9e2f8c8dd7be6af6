export { type BrowseOptions, type BrowserGateway, browse } from './browse.ts';
export { browseHelp } from './browse-help.ts';
export * from './errors.ts';
export { type Browser, type FindBrowserOptions, findBrowser } from './find-browser.ts';
export { type BrowserLimits, browserLimits } from './limits.ts';
export { openQuietNamespace, type QuietNamespace, type QuietNamespaceOptions } from './quiet-namespace.ts';
