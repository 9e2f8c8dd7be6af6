export { CarrierSocket } from './carrier-socket.ts';
export { HelloError, HelloRefusedError, TunnelResetError } from './errors.ts';
export { type FirstFrame, firstFrame } from './first-frame.ts';
export * from './hello.ts';
export { type JointOptions, type JointOutcome, TunnelJoint } from './join-tunnel.ts';
export { type TransportLimits, transportLimits } from './limits.ts';
export { TunnelStream } from './tunnel-stream.ts';
export { WaitingUser } from './waiting-user.ts';
