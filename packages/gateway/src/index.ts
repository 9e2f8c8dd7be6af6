export { ControlClient } from './control/control-client.ts';
export type { Housekeeping } from './control/housekeeping.ts';
export type { Dialect } from './dial-request.ts';
export {
  ControlReplyError,
  ControlRequestError,
  ControlSocketError,
  ForeignUserError,
  GatewayClosedError,
  GatewayListenError,
  GatewayNotRunningError,
  GatewayRunningError,
  LaneLostError,
  LocalTargetError,
  RelayAwayError,
  RelayRefusedError,
  RelayTargetError,
  RelayUntrustedError,
} from './errors.ts';
export { Gateway } from './gateway.ts';
export type { GatewayOptions, PathSource, Routing } from './gateway-options.ts';
export { examineRelay, type RelayExamination } from './lanes/examine-relay.ts';
export { type GatewayLimits, gatewayLimits } from './limits.ts';
export type { GuardMode } from './owner-guard.ts';
export type { ConnectionEvent } from './registry.ts';
export type { StreamProgram } from './streams/program-leg.ts';
export {
  WebSocketConnection,
  type WebSocketHandlers,
  webSocketKey,
} from './streams/websocket-connection.ts';
