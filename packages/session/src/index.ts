export { Carrier, type CarrierSink, type CarrierState } from './carrier.ts';
export { SessionFullError, SessionOverError, SessionProtocolError, TunnelTargetError } from './errors.ts';
export { FrameReader, type FrameSink, type FrameSizes } from './frame-reader.ts';
export {
  dataHeadBytes,
  encodeFrame,
  frameHeadBytes,
  frameTypes,
  type OpenRequest,
  type TunnelKind,
  type TunnelReset,
} from './frames.ts';
export { type SessionLimits, sessionLimits } from './limits.ts';
export { resetCodes } from './reset-codes.ts';
export {
  type OpenOptions,
  Session,
  type SessionOptions,
} from './session.ts';
export type { SessionEnd, SessionEvents } from './session-events.ts';
export { Tunnel, type TunnelState, type TunnelUser } from './tunnel.ts';
