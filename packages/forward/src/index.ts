export { acceptTunnel, refuseTunnel } from './answers.ts';
export { ArrivalMeter } from './arrival-meter.ts';
export { boundBuffers } from './bound-buffers.ts';
export { OriginFailedError, ResponseTimeoutError } from './exchange.ts';
export { HttpFront, type HttpFrontOptions } from './http-front.ts';
export type { TunnelRequest } from './http1-connection.ts';
export { forwardHttp2Request, type Http2RequestOptions } from './http2-request.ts';
export { type ForwardLimits, forwardLimits } from './limits.ts';
export { type Dial, OriginPool } from './origin-pool.ts';
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
