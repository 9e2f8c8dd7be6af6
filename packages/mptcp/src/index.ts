export type { AcceptedConnection } from './accepted-connection.ts';
export { Agent, type AgentConnectOptions, HttpsAgent } from './agent.ts';
export type { KeepAlive, OpenDescriptor } from './attempt.ts';
export type { ListenOptions } from './bind.ts';
export { BulkListener, type BulkListenOptions } from './bulk-listener.ts';
export { preferredCongestion } from './congestion.ts';
export { type ConnectOptions, connect } from './connect.ts';
export { connectFailure } from './connect-failure.ts';
export { type DatagramOptions, openDatagram } from './datagram.ts';
export { fdOf } from './descriptor.ts';
export { type DuplicateOptions, duplicateSocket } from './duplicate.ts';
export { askEcho, type EchoAnswer, type EchoOptions } from './echo.ts';
export {
  AddressRefusedError,
  ArgumentError,
  BindError,
  ConnectError,
  ConnectTimeoutError,
  type FailedAttempt,
  LookupError,
  NamespaceError,
  NoDescriptorError,
  OptionError,
  SocketBusyError,
  SystemCallError,
  UnsupportedError,
} from './errors.ts';
export { tryLockFile } from './file-lock.ts';
export { info } from './info.ts';
export type { SocketAddress } from './kernel/sockaddr.ts';
export type { SubflowEnds, SubflowInfo, TcpInfo, TcpState } from './kernel/structs.ts';
export { type MptcpLimits, mptcpLimits } from './limits.ts';
export {
  createServer,
  type ListenerInfo,
  listen,
  listenerInfo,
  type ServerOptions,
} from './listen.ts';
export { inNamespace } from './namespace.ts';
export * from './netlink/index.ts';
export { networkNamespaceCookie } from './network-namespace.ts';
export { originalDestination } from './original-destination.ts';
export { type PeerCredentials, peerCredentials } from './peer-credentials.ts';
export { type Pump, type PumpOptions, startPump } from './pump.ts';
export { readInto } from './read-into.ts';
export { type InfoReason, reasonText } from './reasons.ts';
export { widenReceiveBuffer } from './receive-buffer.ts';
export { resetSocket } from './reset-socket.ts';
export { type Lookup, type ResolveOptions, resolveHost } from './resolve.ts';
export { sendNow } from './send-now.ts';
export type { SocketInfo } from './socket-info.ts';
export {
  getSocketOption,
  type SocketOption,
  type SocketOptionValues,
  setSocketOption,
} from './socket-options.ts';
export { multipathSupport } from './support.ts';
export { takeError } from './take-error.ts';
export { takeUnread } from './take-unread.ts';
export {
  type UndiciConnectCallback,
  type UndiciConnectOptions,
  type UndiciConnectorOptions,
  undiciConnector,
} from './undici-connector.ts';
export {
  leaveToUserspace,
  openMptcpSocket,
  openUserspaceSocket,
  type PathManagerSysctl,
  pathManagerSysctl,
} from './userspace-socket.ts';
