export { CarrierSocket } from './carrier-socket.ts';
export { HelloError, TunnelResetError } from './errors.ts';
export { type FirstFrame, firstFrame } from './first-frame.ts';
export {
  decodeHello,
  decodeRefused,
  decodeWelcome,
  encodeHello,
  encodeRefused,
  encodeWelcome,
  type Hello,
  type KnownSession,
  provesSecret,
  provesSession,
  type ReceivedHello,
  refusals,
  sessionIdBytes,
  sessionKeyBytes,
  sessionProtocol,
  type Welcome,
} from './hello.ts';
export { type JointOptions, TunnelJoint } from './join-tunnel.ts';
export { type TransportLimits, transportLimits } from './limits.ts';
export { answerToHello, exporterOf, type HelloAnswer, sayHello } from './say-hello.ts';
export { SlabReader } from './slab-reader.ts';
export { TunnelStream } from './tunnel-stream.ts';
export { WaitingUser } from './waiting-user.ts';
