/** What the gateway keeps and waits for at most. */
export const gatewayLimits = {
  /** Client connections open at once; further ones are answered 503 and closed. */
  connections: 8192,
  /** How long a client may stay silent before its first byte, in milliseconds: browsers connect ahead. */
  firstByteMs: 60_000,
  /** How long the head of the first request or a SOCKS handshake may take from its first byte on, in milliseconds. */
  headMs: 10_000,
  /** Clients for whom there is no room that wait to be told so; further ones are closed at once. */
  turnedAway: 256,
  /** The same for clients of other users of this machine, who are not counted among the connections. */
  foreignTurnedAway: 16,
  /** How long the first byte of those is waited for, to tell them in their dialect, in milliseconds. */
  foreignMs: 250,
  /** How long a refused client may take to read its answer and to close, in milliseconds. */
  lingerMs: 2_000,
  /** How long a connection to a target may take, names included, in milliseconds. */
  dialMs: 30_000,
  /** After how long without anything it is asked whether packets are too large for the path, in milliseconds. */
  stalledMs: 1500,
  /** How long a new connection waits for a relay that is being connected to, in milliseconds. */
  relayWaitMs: 2_000,
  /** Origins of which it is kept whether they speak Multipath TCP. */
  originsKept: 2048,
  /** Answers of the kernel, how it would send packets, that are kept until links, addresses, routes or rules change. */
  routesKept: 1024,
  /** How long it is kept that an origin speaks Multipath TCP, in milliseconds. */
  originMs: 86_400_000,
  /** How long it is kept that one does not, in milliseconds. */
  plainOriginMs: 3_600_000,
  /** Bytes through the relay after which an origin is asked whether it speaks Multipath TCP. */
  originCheckBytes: 1_048_576,
  /** Connections through the relay after which it is asked. */
  originCheckConnections: 5,
  /** How long an origin is not asked again, in milliseconds. */
  originCheckPauseMs: 86_400_000,
  /** How long it may take to answer, in milliseconds. */
  originCheckMs: 5_000,
  /** How long the relay may take to answer for a target, in milliseconds. */
  relayAnswerMs: 35_000,
  /** How long a lane may take to be connected, authenticated and ready, in milliseconds. */
  laneSetupMs: 10_000,
  /** How long nobody may answer at the relay's addresses until it is looked whether its name leads elsewhere, in milliseconds. */
  nameCheckMs: 1_500,
  /** The same for most attempts while connections wait for a lane, in milliseconds. */
  laneSetupHasteMs: 2_500,
  /** Lanes that are kept warm. */
  lanesLeast: 2,
  /** Lanes there are at most. */
  lanesMost: 8,
  /** HTTP/2 window of one stream in a lane, in bytes: what one download can have on its way. */
  streamWindowBytes: 16_777_216,
  /** The same while slow clients leave much waiting in a lane, in bytes. */
  narrowWindowBytes: 1_048_576,
  /** Bytes for slow clients that may wait in one lane until its streams get narrow windows. */
  laneWaitingBytes: 67_108_864,
  /** Bytes written to a lane that may wait for the kernel until clients are held back. */
  laneQueuedBytes: 1_048_576,
  /** HTTP/2 window of one lane, in bytes. */
  laneWindowBytes: 67_108_864,
  /** How long a request waits for a lane on which nothing arrives until the lane is asked for a sign of life, in milliseconds. */
  laneDoubtMs: 500,
  /** How lately something must have come over a lane for a client to be served ahead of the relay's answer, in milliseconds. */
  laneFreshMs: 1_000,
  /** How long nothing may come over a lane until clients that it serves ahead are broken off, when there is another one, in milliseconds. */
  laneEarlySilenceMs: 20_000,
  /** Lanes that one request tries. */
  laneTries: 3,
  /** Time between two looks at the kernel, while lanes are plain TCP because Multipath TCP is off there, in milliseconds. */
  kernelCheckMs: 2_000,
  /** Time between two checks of a lane, in milliseconds. */
  laneCheckMs: 15_000,
  /** How long a checked lane may be silent before new connections avoid it, in milliseconds. */
  laneAnswerMs: 5_000,
  /** The same right after the network changed, in milliseconds. */
  laneQuickAnswerMs: 1_500,
  /** The same for a lane whose addresses this host has no more, in milliseconds. */
  laneMovedAnswerMs: 150,
  /** How long a checked lane may be silent before it is given up with all it carries, in milliseconds. */
  laneSilenceMs: 60_000,
  /** How long a lane beyond `lanesLeast` may be unused, in milliseconds. */
  laneIdleMs: 60_000,
  /** Bytes a second from which on a lane counts as carrying a bulk transfer. */
  bulkBytesPerSecond: 131_072,
  /** Pause after the first failed attempt to reach the relay, in milliseconds; it doubles with each further one. */
  backOffFirstMs: 250,
  /** The longest pause between two attempts, in milliseconds. */
  backOffMostMs: 15_000,
  /** The same while connections wait for a lane, in milliseconds. */
  backOffAwaitedMs: 1_000,
  /** Pause between two attempts while the relay refuses this gateway, in milliseconds. */
  refusedRetryMs: 30_000,
  /** Attempts that new connections cause while the relay is away come no closer than this, in milliseconds. */
  demandRetryMs: 100,
  /** The same while the relay refuses this gateway, in milliseconds. */
  refusedDemandRetryMs: 5_000,
  /** Targets that are remembered as reachable through the relay. */
  targetsKept: 1024,
  /** How long a target is remembered as reachable, in milliseconds. */
  targetMs: 600_000,
  /** Bytes of an error page of the relay that are read. */
  refusalBytes: 4096,
  /** How often it is seen whether the control socket is still there, in milliseconds. */
  controlCheckMs: 2000,
  /** Clients of the control socket at once. */
  controlClients: 64,
  /** Bytes of one control request. */
  controlRequestBytes: 245_760,
  /** Between two figures of what each path carries, in milliseconds. */
  historyStepMs: 1_000,
  /** Figures of that which are kept: two minutes. */
  historySteps: 120,
  /** Entries of the log of what happened to paths and connections. */
  logEntries: 500,
  /** Connections that did not come about and are remembered, in memory, for the dashboard. */
  failuresKept: 100,
  /** Connections for streams of web pages at once: one for each browser. */
  streamSessions: 16,
  /** Streams that are open at once on one of them. */
  streams: 4096,
  /** Bytes of one of them that may wait in the relay, in the kernel and in the gateway, each, until its reader takes them. */
  streamAheadBytes: 655_360,
  /** Bytes for the extension that may wait for the kernel on one of its connections until streams are held back. */
  streamQueuedBytes: 262_144,
  /** Bytes of one of them that a page may send before the kernel, or the relay's lane, has taken them. */
  streamUploadBytes: 1_048_576,
  /** How long one that the page has closed may take to deliver what was written, in milliseconds. */
  streamLingerMs: 60_000,
  /** Bytes that its far end may send meanwhile, unwanted, until it is broken off. */
  streamLingerBytes: 1_048_576,
  /** Streams of one of them that are being connected at once; further ones wait. */
  streamDials: 64,
  /** Programs that run at once for one of them. */
  streamPrograms: 32,
  /** How long a program whose page has closed it in order, and gone, may go on, in milliseconds. */
  streamProgramRetireMs: 2_000,
  /** How long one that was told to end may take, in milliseconds, until it is killed. */
  streamProgramEndMs: 5_000,
  /** How long `close` waits for connections that end by themselves, in milliseconds. */
  closeMs: 1_000,
  /** How long `up` waits for its relay until it says that it is ready all the same, in milliseconds. */
  relayFirstMs: 1_000,
  /** Bytes each way with which a path to the relay is measured when nothing is known of it. */
  measureBytes: 393_216,
  /** How long that may take, in milliseconds. */
  measureMs: 5_000,
  /** How often it is done anew because something else came over the path meanwhile, or a tunnel was opened. */
  measureDisturbed: 3,
  /** A path is measured when it carried no more than so many bytes … */
  quietBytes: 16_384,
  /** … in so many milliseconds. */
  quietMs: 100,
  /** How long about until it is looked again whether a path is quiet, in milliseconds. */
  quietRetryMs: 500,
  /** Bytes of events that a client of the control socket may leave unread; then it is closed. */
  controlUnreadBytes: 4_194_304,
} as const;

/** Limits with some of them changed. */
export type GatewayLimits = { [Name in keyof typeof gatewayLimits]: number };
