export { offerHelper } from './offer-helper.ts';
export { HelperStartError } from './start-helper.ts';
