export { ArrivalRate, type ArrivalRateOptions } from './arrival-rate.ts';
export {
  type Authority,
  AuthorityInvalidError,
  formatAuthority,
  isHostName,
  parseAuthority,
  parseListen,
} from './authority.ts';
export { decodeBase64Url, encodeBase64Url } from './base64url.ts';
export { ByteReader, BytesCutShortError, ByteWriter } from './byte-cursor.ts';
export { concatBytes, decodeLatin1, decodeText, encodeLatin1, encodeText, equalBytes } from './bytes.ts';
export { type Clock, SimulatedClock, systemClock, type Timer } from './clock.ts';
export { Condition } from './condition.ts';
export {
  type Config,
  ConfigInvalidError,
  defaultListen,
  type PathConfig,
  type PathTier,
  type ProbeConfig,
  parseConfig,
  type RuleConfig,
  type StreamsConfig,
} from './config.ts';
export type {
  ConnectionStatus,
  ControlHello,
  ControlMethod,
  ControlReply,
  ControlRequest,
  DoctorFinding,
  FailureEntry,
  HostNotice,
  LaneProtocol,
  LaneStatus,
  LogEntry,
  Overview,
  PathRecord,
  RelayStatus,
  SettingsDocument,
  StatusDocument,
  SubflowStatus,
  Totals,
  TrafficHistory,
  WaitingStatus,
} from './control.ts';
export { aheadHeader, controlProtocol, rateServicePath, reachHeader } from './control.ts';
export { CountedLog, type CountedLogOptions } from './counted-log.ts';
export * from './dns-message.ts';
export { errorCode, errorMessage, ManypathError, type ManypathErrorOptions } from './errors.ts';
export { extensionId, extensionKey, nativeHostName } from './extension-identity.ts';
export { fileAdvice } from './file-advice.ts';
export { formatBytes, formatDuration, formatRate } from './format.ts';
export { decodeHex, encodeHex } from './hex.ts';
export {
  encodeChunkSize,
  HttpBodyError,
  type HttpBodyLength,
  type HttpBodyLimits,
  type HttpBodyOptions,
  HttpBodyReader,
} from './http-body.ts';
export { type HeaderField, headerValue, isWritable } from './http-fields.ts';
export {
  clientKeepsAlive,
  isBodiless,
  keepsAlive,
  type ResponseFraming,
  requestBodyLength,
  responseFraming,
} from './http-framing.ts';
export {
  encodeRequestHead,
  encodeResponseHead,
  type HttpHeadLimits,
  type HttpRequestHead,
  HttpRequestHeadParser,
  type HttpResponseHead,
  HttpResponseHeadParser,
} from './http-head.ts';
export { HttpHeadError } from './http-head-error.ts';
export {
  type BasicCredentials,
  connectionOptions,
  encodeTrailers,
  endToEndHeaders,
  formatBasicCredentials,
  parseBasicCredentials,
  passableTrailers,
} from './http-headers.ts';
export {
  type HttpResponseEvent,
  type HttpResponseLimits,
  type HttpResponseOptions,
  HttpResponseReader,
  HttpTruncatedError,
} from './http-response.ts';
export {
  type AddressScope,
  addressScope,
  type Cidr,
  cidrContains,
  formatIpAddress,
  type IpAddress,
  isPublicAddress,
  parseCidr,
  parseIpAddress,
} from './ip-address.ts';
export { encodeJsonLine, JsonLineDecoder, JsonLineError } from './json-lines.ts';
export { coreLimits } from './limits.ts';
export { type Logger, silentLogger } from './logger.ts';
export { mappedAddress, unmappedAddress } from './mapped-address.ts';
export {
  isHindrance,
  judgeMultipath,
  type MultipathFacts,
  type MultipathReason,
  type MultipathUse,
  multipathAdvice,
} from './multipath-use.ts';
export {
  type Nat64Prefix,
  nat64Name,
  nat64Prefixes,
  scopeThrough,
  translatedAddress,
} from './nat64.ts';
export {
  encodeNativeMessage,
  type NativeMessage,
  NativeMessageDecoder,
  NativeMessageInvalidError,
  NativeMessageTooLongError,
  type NativeMessagingOptions,
  nativeMessagingLimits,
} from './native-messaging.ts';
export { formatPairing, type Pairing, PairingInvalidError, parsePairing, relayUser } from './pairing.ts';
export type { Carried, PathHealth, PathStatus, PathUsage } from './path-status.ts';
export { classifyProxyRequest, type ProxyRequest, ProxyRequestError } from './proxy-request.ts';
export {
  CertificateOptionsError,
  derSignature,
  encodePem,
  type SelfSignedCertificateOptions,
  selfSignedCertificate,
} from './self-signed-certificate.ts';
export { SerialQueue } from './serial-queue.ts';
export { parseSize, SizeInvalidError } from './size.ts';
export { SocksProtocolError } from './socks-error.ts';
export { type Socks4Reply, Socks4ServerHandshake, socks4Replies, socks4Reply } from './socks4.ts';
export {
  type Socks5Reply,
  Socks5ServerHandshake,
  type SocksEvent,
  socks5Replies,
  socks5Reply,
} from './socks5.ts';
export { encodeBodyHead, StreamBodyReader } from './streams/stream-body.ts';
export {
  decodeStreamFrame,
  encodeStreamFrame,
  frameHeadBytes,
  longestInfo,
  longestTarget,
  renumberStreamFrame,
  type StreamFrame,
  StreamFrameError,
  type StreamKind,
  type StreamResetReason,
  streamFrameType,
} from './streams/stream-frames.ts';
export {
  isGranted,
  isGrantHost,
  isOrigin,
  type LocalPlace,
  localPlaceOf,
  needsLocal,
  type StreamGrant,
  type StreamWish,
} from './streams/stream-grants.ts';
export {
  type StreamEvent,
  type StreamLimits,
  StreamMultiplexer,
  StreamProtocolError,
  streamLimits,
} from './streams/stream-multiplexer.ts';
export { waitingWords } from './waiting-words.ts';
export {
  encodeCloseReason,
  encodeWebSocketHead,
  longestControlPayload,
  maskInPlace,
  type WebSocketEvent,
  type WebSocketFrameKind,
  type WebSocketLimits,
  WebSocketProtocolError,
  WebSocketReader,
  webSocketLimits,
} from './websocket/websocket-frames.ts';
