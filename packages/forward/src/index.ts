export {
  acceptTunnel,
  type Dial,
  HttpFront,
  type HttpFrontOptions,
  refuseTunnel,
  type TunnelRequest,
} from './http-front.ts';
export { type ForwardLimits, forwardLimits } from './limits.ts';
export { OriginAgent } from './origin-agent.ts';
export { type ErrorResponse, errorResponse, ProxyRefusal, statusOf } from './proxy-error.ts';
export {
  type RelayHandle,
  RelayIdleError,
  type RelayOptions,
  type RelayOutcome,
  RelayResetError,
  relayBytes,
} from './relay-bytes.ts';
