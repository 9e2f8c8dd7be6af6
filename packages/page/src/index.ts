import { awaitShare } from './worker-streams.ts';

export type { StreamWish } from '@manypath/core';
export { Burst } from './burst.ts';
export type { ConsentWait } from './extension-connection.ts';
export { connectNative, type NativeProgram, type ProgramExit } from './native-program.ts';
export {
  type AccessMessage,
  type AskAnswer,
  type AskMessage,
  burstBytes,
  type ConnectMessage,
  type FramesMessage,
  type LifeMessage,
  mostFrames,
  portVersion,
  type SwitchMessage,
} from './port-messages.ts';
export type { StreamInfo } from './stream-pair.ts';
export { requestAccess, TCPSocket, type TCPSocketOpenInfo, type TCPSocketOptions } from './tcp-socket.ts';
export { shareStreams } from './worker-streams.ts';

awaitShare();
