export { acceptTunnel, refuseTunnel } from './answers.ts';
export { ArrivalMeter } from './arrival-meter.ts';
export { boundBuffers } from './bound-buffers.ts';
export { OriginFailedError } from './exchange.ts';
export {
  type Dial,
  HttpFront,
  type HttpFrontOptions,
  type TunnelRequest,
} from './http-front.ts';
export { type ForwardLimits, forwardLimits } from './limits.ts';
export { OriginAgent } from './origin-agent.ts';
export { flushHead, mayRepeat } from './outgoing.ts';
export { type ErrorResponse, errorResponse, ProxyRefusal, statusOf } from './proxy-error.ts';
export { type ChunkSink, type ReadableLeg, readableLeg, streamLeg } from './reader.ts';
export {
  type RelayHandle,
  RelayIdleError,
  type RelayOptions,
  type RelayOutcome,
  RelayResetError,
  relayBytes,
} from './relay-bytes.ts';
