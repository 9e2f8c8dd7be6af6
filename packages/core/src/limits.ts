/** What the codecs of this room read at most. */
export const coreLimits = {
  /** Bytes of an HTTP/1.1 message head, with its request or status line. */
  httpHeadBytes: 32_768,
  /** Header fields in one HTTP/1.1 message head. */
  httpHeaderCount: 1_000,
  /** Bytes of the line with the size of a chunk, extensions included. */
  httpChunkLineBytes: 16_384,
  /** Bytes before the status line of an answer that are passed over. */
  httpLeadingBytes: 64,
  /** Bytes of a request target or authority. */
  httpTargetBytes: 8_192,
  /** Bytes of one line of the control protocol. */
  jsonLineBytes: 16_777_216,
  /** Characters of a configuration file. */
  configCharacters: 1_048_576,
  /** Entries of one list in a configuration file. */
  configEntries: 10_000,
} as const;
