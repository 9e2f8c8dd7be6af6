/** What the paths room waits for and keeps at most. */
export const pathsLimits = {
  /** How long changes of links, addresses and routes are gathered before they are acted on, in milliseconds. */
  settleMs: 20,
  /** Subflows per connection that the kernel may open or accept (MPTCP_PM_ADDR_MAX is 8). */
  subflowsPerConnection: 8,
  /** How long an estimate of a path's rate and round trip is kept without a new measurement, in milliseconds. */
  estimateKeptMs: 30 * 24 * 3600 * 1000,
  /** Estimates kept, one for each path and network; the ones that were not renewed longest give way. */
  estimates: 500,
  /** How long counted bytes are gathered before they are written, in milliseconds: so much is estimated after a crash. */
  usageWrittenMs: 2000,
  /** Days of which it is kept how much each path carried. */
  usageDays: 100,
  /** How often the bytes of connections are counted while no cap is near, in milliseconds. */
  usageSampleMs: 1000,
  /** The same at most, when a cap is near and bytes flow, in milliseconds. */
  usageSampleNearCapMs: 50,
  /** The same while nothing flows and a cap is near, in milliseconds. */
  usageSampleStillMs: 100,
  /** What a path is taken to carry at most as long as nothing is known of it, in bytes a second. */
  assumedBytesPerSecond: 50_000_000,
  /** How long it takes until a path that has reached its cap is left, beside two round trips, in milliseconds. */
  leavePathMs: 100,
  /** Longest wait for one way to a host before the next is tried beside it, in milliseconds (RFC 8305 §5). */
  attemptDelayMs: 250,
  /** Shortest such wait, for paths whose round trip is known, in milliseconds. */
  attemptDelayLeastMs: 100,
  /** How long other paths have to answer before one that is for backup is dialled, in milliseconds. */
  backupDelayMs: 1000,
  /** How long a host may take to be connected to, names included, in milliseconds. */
  dialMs: 30_000,
  /** How often is dialled while it turns out of one path after the other that larger packets are lost on it. */
  dialTries: 4,
  /** Ways (path and address) to one host that are tried. */
  dialCandidates: 8,
  /** How long a path counts as silent that did not answer where another one did, in milliseconds; doubles each time. */
  doubtMs: 5000,
  /** How long a path counts as silent over which no name server answered, in milliseconds. */
  doubtBrieflyMs: 1000,
  /** The longest it counts as that, in milliseconds. */
  doubtMostMs: 60_000,
  /** How long it is remembered which path answered for a host, in milliseconds. */
  winnerMs: 600_000,
  /** Hosts for which that is remembered. */
  winnersKept: 512,
  /** Sites for which it is remembered which path they are on. */
  sitesKept: 2048,
  /** Time over which it is counted what a path carries, in milliseconds. */
  loadWindowMs: 1000,
  /** How often a name server is asked over UDP until it counts as silent. */
  nameTries: 2,
  /** How long the first of these waits for an answer, in milliseconds; the second waits twice as long. */
  nameTryMs: 1000,
  /** How long addresses of one family wait for those of the other, in milliseconds (RFC 8305 §3). */
  nameOtherFamilyMs: 50,
  /** How long addresses are kept that came without those of the other family, in seconds. */
  nameHalfSeconds: 5,
  /** How long a name's addresses are kept at least and at most, in seconds, whatever their server says. */
  nameLeastSeconds: 2,
  nameMostSeconds: 600,
  /** How long an answer of the system's resolver is kept, which does not say, in seconds. */
  nameSystemSeconds: 30,
  /** How long it is kept at most that a name is not known, in seconds. */
  nameUnknownSeconds: 10,
  /** Names that are kept. */
  namesKept: 1024,
  /** How long a name may take to be looked up by our own means before the system's resolver is asked, in milliseconds. */
  nameMs: 6000,
  /** How long the servers of this side have for a name that the relay may know better, in milliseconds. */
  nameHereMs: 1500,
  /** How long what files say of name servers is believed, in milliseconds. */
  nameFilesMs: 2000,
  /** Names that are believed to have been written into the hosts file by hand while a gateway runs. */
  hostsChanged: 32,
  /** Longest such file that is read, in bytes. */
  nameFileBytes: 16_777_216,
  /** How long a path has to answer when it is asked whether it works, in milliseconds; where its queue is long, up to the second. */
  examineMs: 300,
  examineMostMs: 400,
  /** How often it is asked in that time. */
  probesEach: 3,
  /** How long an answer that comes late is still heard, in milliseconds. */
  probeMs: 3000,
  /** How long the question may take which sizes of packets pass a path, in milliseconds. */
  sizesMs: 400,
  /** How long the answer is believed, in milliseconds. */
  sizesKeptMs: 600_000,
  /** The same where something speaks against it. */
  sizesLeastMs: 1000,
  /** How often it is asked whether larger packets pass again, in milliseconds. */
  sizesAgainMs: 20_000,
  /** How long nobody is asked again where nobody answered, in milliseconds. */
  sizesPauseMs: 300_000,
  /** How lately a path must have been heard from to count as known to work, when somebody asks how it is, in milliseconds. */
  freshMs: 200,
  /** How long such a question waits for an answer at most, in milliseconds. */
  freshenMs: 700,
  /** How long the page that tells captive portals may take, in milliseconds. */
  portalMs: 3000,
  /** How often a network with a captive portal, or one that has not answered, is asked again, in milliseconds. */
  portalRetryMs: 3000,
  /** How long until a dead path is asked again, in milliseconds; each time so many times longer, up to the last. */
  deadRetryMs: 800,
  deadRetryGrowth: 1.2,
  deadRetryMostMs: 1400,
  /** How often it is seen whether endpoints and limits are still there, in milliseconds. */
  upkeepCheckMs: 5000,
  /** How long until what failed is tried again when the network is looked at and set up, in milliseconds. */
  applyRetryMs: 1000,
  /** Subflows of which it is remembered by which device they leave. */
  subflowsKept: 4096,
  /** Devices that are remembered for an address that several had. */
  addressDevicesKept: 16,
  /** Clients of the privileged helper at once. */
  helperClients: 32,
  /** Those of one user. */
  helperClientsPerUser: 16,
  /** Connections that are being turned away at once; more are closed without a word. */
  helperStrangers: 16,
  /** How long these may take, in milliseconds. */
  helperStrangerMs: 500,
  /** Over which time those that are turned away are counted before it is said again, in milliseconds. */
  helperRefusalsMs: 60_000,
  /** Users that are told apart meanwhile. */
  helperRefusedUsers: 1024,
  /** How long the helper has to answer, in milliseconds. */
  helperAnswerMs: 3000,
  /** How long until a helper that has gone is looked for, in milliseconds; doubles up to the second. */
  helperRetryMs: 200,
  helperRetryMostMs: 5000,
  /** How long sockets are left to user space at most when a client of the helper asks, in milliseconds. */
  windowMs: 30,
  /** Share of the time in which they may be, whoever asks and however often. */
  windowShare: 0.05,
  /** How long they may be at once after a pause, in milliseconds. */
  windowBurstMs: 200,
  /** Paths that one of its clients may have set up. */
  helperPaths: 16,
  /** Longest request to it, in bytes. */
  helperLineBytes: 8192,
} as const;
